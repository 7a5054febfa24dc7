"""Errors for people: each says in one line what is wrong and what to do.

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
    "UnreadableImage",
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
