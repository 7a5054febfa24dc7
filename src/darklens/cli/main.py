"""The command `darklens`: find the verb, read its arguments, run it, report errors in one line.

Each verb is a plain typed function in its own file of `darklens.cli`, imported only when it is
asked for. Its parameters are its arguments (see `darklens.cli.arguments`): those without a default
stand alone, `--config FILE` reads any of them from YAML, and `--print-config` shows them. A verb
returns its exit code, or None for 0.

Exit codes: 0 done, 1 done but some inputs failed, 2 wrong input (one line on stderr), 130 stopped
by Ctrl-C, 143 by SIGTERM.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

from darklens import __version__
from darklens.cli.ending import Terminated, closed_pipe, fail, report, stopped_by_signals

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
        "train_classifier", "classifier", "Train a classifier on files or on fresh simulations."
    ),
    "train generator": Verb(
        "train_generator", "generator", "Train a generator of lenses on files or simulations."
    ),
    "evaluate classifier": Verb(
        "evaluate_classifier",
        "classifier",
        "Measure a classifier: metrics, figures and an HTML report.",
    ),
    "evaluate generator": Verb(
        "evaluate_generator",
        "generator",
        "Measure a generator: distances, tests, figures and an HTML report.",
    ),
    "predict": Verb("predict", "predict", "Class probabilities for image files and folders."),
    "fit": Verb("fit", "fit", "Fit the smooth lens: numbers with errors, residuals, pictures."),
    "generate": Verb("generate", "generate", "Write new lenses from a trained generator."),
    "convert": Verb("convert", "convert", "Write images from any files as a store, with classes."),
    "models": Verb("models", "models", "List the models that are shipped or cached."),
    "export": Verb("export", "export", "Write a model folder for sharing or for the hub."),
    "demo": Verb("demo", "demo", "Simulate and classify a few lenses and write a report."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    _mend_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        # Whoever calls this in a process of their own keeps their way of ending it.
        with stopped_by_signals() if arguments is None else nullcontext():
            code = _dispatch(words)
            sys.stdout.flush()
            return code
    except SystemExit as stop:  # jsonargparse ends --help and --print-config this way
        return int(stop.code or 0)
    except BrokenPipeError:
        return closed_pipe()
    except (Exception, KeyboardInterrupt, Terminated) as error:  # noqa: BLE001, the last resort
        return report(error)


def _mend_streams() -> None:
    """Streams for a process that was started without, on which any file name can be printed.

    A letter that the terminal's encoding lacks is printed as its number, and stops nothing.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        if isinstance(stream := getattr(sys, name), TextIOWrapper):
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
        return fail(f"there is no verb '{name}'; see darklens {group} --help".replace("  ", " "))
    print(_overview(group))
    return 0


def _run(name: str, verb: Verb, words: list[str]) -> int:
    """Import a verb's file, read its arguments and call it."""
    from darklens.cli.arguments import read_arguments

    function: Callable[..., int | None] = getattr(
        import_module(f"darklens.cli.{verb.module}"), verb.function
    )
    return function(**read_arguments(name, verb.summary, function, words)) or 0


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
