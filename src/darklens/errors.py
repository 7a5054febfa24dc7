"""User-facing errors: each states in one line what is wrong and what to do.

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
    """An argument, a file name or an output place cannot be used."""


class BadConfig(DarklensError):
    """A recipe or a setting is wrong."""


class BadData(DarklensError):
    """A data set is laid out wrongly, or its parts do not fit each other."""


class BadPreset(DarklensError):
    """A simulation preset is wrong."""


class BadModel(DarklensError):
    """A model folder, card or weights file is wrong, damaged or missing."""


class UnreadableImage(DarklensError):
    """One image file cannot be read or is not suitable."""


class NotComputed(DarklensError):
    """A score cannot be computed here or for these images; the others can."""


class TrainingFailed(DarklensError):
    """A training run cannot go on; what it has saved is kept."""


class WorkerDied(DarklensError):
    """A worker process was killed; what was done is kept."""


def reason_of(error: Exception) -> str:
    """Why one image of many cannot be used, in one line, whatever went wrong with it.

    >>> reason_of(UnreadableImage("the file is empty")), reason_of(MemoryError())
    ('the file is empty', 'too large for the memory')
    """
    text = " ".join(str(error).split())
    if isinstance(error, DarklensError):
        return text
    if isinstance(error, MemoryError):
        return "too large for the memory"
    return f"cannot be used ({type(error).__name__}: {text[:200]})"
