"""The command `darklens`: find the verb, read its arguments, run it, report errors in one line.

Each verb is a plain typed function in its own file of `darklens.cli`, imported only when it is
asked for. jsonargparse turns its parameters into arguments: those without a default are
positional, `--config FILE` reads any of them from YAML, and `--print_config` shows them. A
parameter called `inputs` takes one or more values, a switch needs no value (`--quiet` means
`--quiet true`), and `--pixel-scale` is `--pixel_scale`. A verb returns its exit code, or None
for 0.

Exit codes: 0 done, 1 done but some inputs failed, 2 wrong input (one line on stderr), 130 stopped.
"""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from io import TextIOWrapper

from darklens import __version__
from darklens.errors import DarklensError
from darklens.naming import visible

__all__ = ["VERBS", "Verb", "main"]


@dataclass(frozen=True)
class Verb:
    """Where a verb lives and what it does.

    Attributes:
        module: File in `darklens.cli`.
        function: Name of the function in that file.
        summary: One line for `darklens --help`.
    """

    module: str
    function: str
    summary: str


VERBS = {
    "simulate": Verb(
        "simulate", "simulate", "Write labelled simulated lenses with their true parameters."
    ),
    "train classifier": Verb(
        "train", "classifier", "Train a classifier on files or on fresh simulations."
    ),
    "train generator": Verb(
        "train_generator", "generator", "Train a generator of lenses on files or simulations."
    ),
    "evaluate classifier": Verb(
        "evaluate", "classifier", "Measure a classifier: metrics, figures and an HTML report."
    ),
    "evaluate generator": Verb(
        "evaluate_generator",
        "generator",
        "Measure a generator: distances, tests, figures and an HTML report.",
    ),
    "predict": Verb("predict", "predict", "Class probabilities for image files and folders."),
    "fit": Verb("fit", "fit", "Fit the smooth lens: numbers with errors, residuals, pictures."),
    "generate": Verb("generate", "generate", "Write new lenses from a trained generator."),
    "models": Verb("models", "models", "List the models that are shipped or cached."),
    "export": Verb("export", "export", "Write a model folder for sharing or for the hub."),
    "demo": Verb("demo", "demo", "Simulate and classify a few lenses and write a report."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _print_anything()
    try:
        return _dispatch(words)
    except DarklensError as error:
        return _fail(str(error))
    except SystemExit as stop:  # jsonargparse ends --help and --print_config this way
        return int(stop.code or 0)
    except KeyboardInterrupt:
        print("darklens: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `darklens models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _fail(str(error))


def _print_anything() -> None:
    """A letter that the terminal's encoding lacks is printed as its number, and stops nothing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _dispatch(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        print(f"darklens {__version__}")
        return 0
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in VERBS:
            return _run(name, VERBS[name], words[length:])
    group = words[0] if words and any(name.startswith(f"{words[0]} ") for name in VERBS) else ""
    rest = words[1:] if group else words
    if rest and rest[0] not in ("-h", "--help"):
        name = f"{group} {rest[0]}".strip()
        return _fail(f"there is no verb '{name}'; see darklens {group} --help".replace("  ", " "))
    print(_overview(group))
    return 0


def _run(name: str, verb: Verb, words: list[str]) -> int:
    """Import a verb's file, read its arguments and call it."""
    from jsonargparse import ArgumentError, ArgumentParser

    function: Callable[..., int | None] = getattr(
        import_module(f"darklens.cli.{verb.module}"), verb.function
    )
    parser = ArgumentParser(
        prog=f"darklens {name}", description=verb.summary, exit_on_error=False, default_env=False
    )
    parser.add_argument("--config", action="config", help="Read arguments from a YAML file.")
    many = "inputs" in signature(function).parameters
    if many:
        parser.add_argument(
            "inputs",
            nargs="+",
            type=str,
            help="Image files, folders (searched recursively), globs.",
        )
    parser.add_function_arguments(function, as_positional=True, skip={"inputs"} if many else None)
    try:
        settings = parser.instantiate(parser.parse_args(_complete_switches(words, function)))
    except (ArgumentError, TypeError, ValueError) as error:
        return _fail(f"{error}; see darklens {name} --help")
    settings.pop("config", None)
    return function(**settings.as_dict()) or 0


def _complete_switches(words: list[str], function: Callable[..., int | None]) -> list[str]:
    """Words with `--quiet` spelt out as `--quiet=true` where no value follows, dashes undone."""
    words = [_with_underscores(word, function) for word in words]
    switches = {
        f"--{name}"
        for name, item in signature(function).parameters.items()
        if item.default is False
    }
    following = [*words, ""][1:]
    return [
        f"{word}=true" if word in switches and next_word not in ("true", "false") else word
        for word, next_word in zip(words, following, strict=True)
    ]


def _with_underscores(word: str, function: Callable[..., int | None]) -> str:
    """`--pixel-scale=0.05` as `--pixel_scale=0.05`, where the verb has such a parameter."""
    flag, equals, value = word.partition("=")
    name = flag.removeprefix("--").replace("-", "_")
    known = flag.startswith("--") and name in signature(function).parameters
    return f"--{name}{equals}{value}" if known else word


def _overview(group: str) -> str:
    """Text of `darklens --help`, or of `darklens train --help` for the verbs of one group."""
    chosen = {name: verb for name, verb in VERBS.items() if name.startswith(f"{group} ".lstrip())}
    width = max(map(len, chosen)) + 2
    lines = [f"  {name:<{width}}{verb.summary}" for name, verb in chosen.items()]
    return "\n".join(
        [
            f"usage: darklens {group or 'VERB'} ...".replace("  ", " "),
            "",
            "Dark-matter substructure in strong gravitational lenses.",
            "",
            "verbs:",
            *lines,
            "",
            "darklens VERB --help shows the arguments of a verb; darklens --version the version.",
        ]
    )


def _fail(message: str) -> int:
    """Print an error as one line and return the exit code for wrong input."""
    print(f"darklens: error: {visible(' '.join(message.split()))}", file=sys.stderr)
    return 2
