"""What a file or an extension holds, by the words in its name.

`VIS_RMS` is the noise of the band `VIS`, `J0946_wht.fits` the weight map of `J0946_sci.fits`. A
name without such a word is an image.
"""

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["NOISE_ROLES", "Named", "Role", "read_name"]

Role = Literal["image", "rms", "variance", "weight", "psf", "mask", "flags", "other"]

NOISE_ROLES: tuple[Role, ...] = ("rms", "variance", "weight")
"""Kinds of noise maps, the one to prefer first."""

_SPELT: dict[Role, str] = {
    "psf": "psf psfs",
    "mask": "mask masks bpm badpix",
    "flags": "dq flag flags",
    "weight": "wht weight weights wt ivar invvar",
    "variance": "var variance",
    "rms": "rms err error errors noise noisemap sigma std stddev stdev unc uncertainty",
    "image": "sci science data flux image img primary",
    "other": "exp expmap con ctx context model bkg background seg segm segmap catalog table",
}
"""Words for each role; if a name has words of several, the first of these roles counts."""

_WORDS = {word: role for role, words in _SPELT.items() for word in words.split()}
_IGNORED = frozenset(("map", "cutout", "cut", "drz", "drc", "flt", "flc", "i2d", "cal", "inv"))
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Named:
    """What a name says.

    Attributes:
        role: What it holds.
        rest: The other words in lower case, such as the band or the name of the lens.
        explicit: Whether a word of the name gives the role.
    """

    role: Role
    rest: tuple[str, ...]
    explicit: bool


def read_name(name: str) -> Named:
    """The role that the words of a name give, and the words that remain.

    >>> read_name("NIR_Y_RMS")
    Named(role='rms', rest=('nir', 'y'), explicit=True)
    >>> read_name("J0946+1006")
    Named(role='image', rest=('j0946', '1006'), explicit=False)
    """
    words = [word.lower() for word in _SPLIT.split(name) if word]
    roles = {_WORDS[word] for word in words if word in _WORDS}
    if "variance" in roles and "inv" in words:
        roles = {"weight"}
    rest = tuple(word for word in words if word not in _WORDS and word not in _IGNORED)
    role = next((role for role in _SPELT if role in roles), None)
    return Named(role or "image", rest, role is not None)
