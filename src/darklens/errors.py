"""User-facing errors: each says in one line what is wrong and what to do.

The command line turns every `DarklensError` into that one line and exit code 2.
"""

__all__ = [
    "BadConfig",
    "BadData",
    "BadInput",
    "BadModel",
    "BadPreset",
    "DarklensError",
    "NotComputed",
    "TrainingFailed",
    "UnreadableImage",
    "WorkerDied",
    "reason_of",
]


class DarklensError(Exception):
    """Base of every error that darklens raises on purpose."""


class BadInput(DarklensError):
    """An argument, a file name or an output path is invalid."""


class BadConfig(DarklensError):
    """A recipe or a setting is invalid."""


class BadData(DarklensError):
    """A data set has an unknown layout, or its parts do not match."""


class BadPreset(DarklensError):
    """A simulation preset is invalid."""


class BadModel(DarklensError):
    """A model folder, card or weights file is invalid, damaged or missing."""


class UnreadableImage(DarklensError):
    """An image file cannot be read or is unsuitable."""


class NotComputed(DarklensError):
    """A score cannot be computed here or for these images, but others can."""


class TrainingFailed(DarklensError):
    """A training run cannot continue; everything saved so far is kept."""


class WorkerDied(DarklensError):
    """A worker process was killed; completed work is kept."""


def reason_of(error: Exception) -> str:
    """Why one of many images is unusable, in one line, whatever the error.

    >>> reason_of(UnreadableImage("the file is empty")), reason_of(MemoryError())
    ('the file is empty', 'too large for memory')
    """
    text = " ".join(str(error).split())
    if isinstance(error, DarklensError):
        return text
    if isinstance(error, MemoryError):
        return "too large for memory"
    return f"cannot be used ({type(error).__name__}: {text[:200]})"
