"""The command `darklens`: find the verb, read its arguments, run it, report errors in one line.

Each verb calls one function of the library, which is imported only when the verb is used. The
function's parameters are the verb's options and its docstring is their help, so that a call from
Python and the command line have the same defaults. Parameters without a default are positional.
Two options exist on the command line only: `--config FILE` reads any argument from YAML, and
`--print-config` prints them all (see `darklens.cli.arguments`).

Where a verb prints its result, a module of `darklens.cli` has a function `show`. It takes the
result and, by name, those arguments of the verb that it needs, and returns the exit code, or None
for 0.

Exit codes: 0 done, 1 done but some inputs failed, 2 wrong input (one line on stderr), 130 stopped
by Ctrl-C, 143 by SIGTERM.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from darklens import __version__
from darklens.cli.ending import Terminated, closed_pipe, fail, report, stopped_by_signals

__all__ = ["VERBS", "Verb", "main"]


@dataclass(frozen=True)
class Verb:
    """The library function behind a verb, and the module that shows its result.

    Attributes:
        function: Module and name of the function, such as `darklens.production:simulate`.
        summary: One line for `darklens --help`.
        shown_by: Module of `darklens.cli` whose `show` prints the result; None prints nothing.
    """

    function: str
    summary: str
    shown_by: str | None = None

    def load(self) -> Callable[..., Any]:
        """Import the function."""
        module, name = self.function.split(":")
        function: Callable[..., Any] = getattr(import_module(module), name)
        return function

    def show(self, result: Any, values: Mapping[str, Any]) -> int:
        """Print the result of the function.

        Args:
            result: What the function returned.
            values: The arguments it was called with; `show` is given those that it names.

        Returns:
            The exit code.
        """
        if self.shown_by is None:
            return result if isinstance(result, int) else 0
        show = import_module(f"darklens.cli.{self.shown_by}").show
        _, *wanted = signature(show).parameters
        return show(result, **{name: values[name] for name in wanted}) or 0


VERBS = {
    "simulate": Verb(
        "darklens.production:simulate",
        "Write labelled simulated lenses with their true parameters.",
        "written",
    ),
    "train classifier": Verb(
        "darklens.train:train_classifier",
        "Train a classifier on files or on new simulations.",
        "train",
    ),
    "train generator": Verb(
        "darklens.train:train_generator",
        "Train a generator of lens images on files or on simulations.",
        "train",
    ),
    "evaluate classifier": Verb(
        "darklens.evaluate:evaluate_classifier",
        "Evaluate a classifier: metrics, figures and an HTML report.",
        "evaluate_classifier",
    ),
    "evaluate generator": Verb(
        "darklens.evaluate:evaluate_generator",
        "Evaluate a generator: distances, tests, figures and an HTML report.",
        "evaluate_generator",
    ),
    "predict": Verb(
        "darklens.evaluate:predict", "Class probabilities for image files and folders.", "predict"
    ),
    "inspect": Verb(
        "darklens.evaluate.inspect:inspect",
        "Tell what image files hold, and what a fit will do with them.",
        "inspect",
    ),
    "fit": Verb(
        "darklens.evaluate.fit:fit",
        "Fit the smooth lens: parameters with errors, residuals, figures.",
        "fit",
    ),
    "detect": Verb(
        "darklens.evaluate.detect:detect",
        "Look for subhalos: where, how heavy, how significant, and the sensitivity.",
        "detect",
    ),
    "generate": Verb(
        "darklens.production:generate", "Write new lenses from a trained generator.", "written"
    ),
    "convert": Verb(
        "darklens.production:convert",
        "Write images from any files as one store, with their classes.",
        "written",
    ),
    "models": Verb(
        "darklens.cli.models:models", "List the models that are shipped or cached.", "models"
    ),
    "export": Verb(
        "darklens.cli.export:export",
        "Write a model folder for sharing or for the hub.",
        "export",
    ),
    "serve": Verb(
        "darklens.serve.server:serve", "Serve the browser app and its HTTP API on this machine."
    ),
    "demo": Verb(
        "darklens.evaluate:demo", "Simulate and classify a few lenses and write a report.", "demo"
    ),
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
    """Provide missing standard streams, and let them print any file name.

    A character that the terminal's encoding lacks is printed as its code.
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
    """Read a verb's arguments, call its function and show the result."""
    from darklens.cli.arguments import read_arguments

    function = verb.load()
    values = read_arguments(name, verb.summary, function, words)
    return verb.show(function(**values), values)


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
