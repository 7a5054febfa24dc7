"""The names of the substructure classes, their order, and the synonyms found on disk.

`no` is a lens without substructure, `sphere` a lens with cold dark matter subhalos, and `vort` a
lens with an axion vortex.
"""

from collections.abc import Iterable

__all__ = ["CLASSES", "UNLABELLED", "canonical_class", "order_classes"]

CLASSES = ("no", "sphere", "vort")

UNLABELLED = "lens"
"""The class of images whose class is unknown."""

_SYNONYMS = {
    "no": "no",
    "no_sub": "no",
    "no_substructure": "no",
    "nosub": "no",
    "sphere": "sphere",
    "spherical": "sphere",
    "cdm": "sphere",
    "subhalo": "sphere",
    "subhalos": "sphere",
    "vort": "vort",
    "vortex": "vort",
    "axion": "vort",
}


def canonical_class(name: str) -> str:
    """Class name for one of its spellings; an unknown name is returned in lower case."""
    lower = name.strip().lower()
    return _SYNONYMS.get(lower, lower)


def order_classes(names: Iterable[str]) -> tuple[str, ...]:
    """Distinct names: `no`, `sphere`, `vort` first, in this order, then the others sorted."""
    distinct = set(names)
    known = tuple(name for name in CLASSES if name in distinct)
    return known + tuple(sorted(distinct - set(CLASSES)))
