"""Presets: small declarations of distributions from which lenses are drawn.

A preset is a YAML file (see `presets/` next to this file, and the page on simulation in the
documentation). Each number may be constant or a distribution. Angles in presets are degrees from
the x axis towards the y axis, lengths on the sky arcsec, masses M_sun.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, InstanceOf

from darklens.classes import canonical_class
from darklens.errors import BadPreset
from darklens.files.plain_yaml import parse_yaml, read_text
from darklens.files.schema import OneKey, read_as
from darklens.lensing.cosmology import Cosmology
from darklens.lensing.grid import PixelGrid
from darklens.lensing.instrument import GaussianPSF, Instrument, PixelPSF
from darklens.lensing.noise import (
    CCDNoise,
    DeepLenseSimNoise,
    NoiseModel,
    NoNoise,
    PhotonNoise,
)
from darklens.naming import sides
from darklens.simulation.conditions import Conditions, take_conditions
from darklens.simulation.distributions import LARGEST, Drawn
from darklens.simulation.galaxy_pictures import read_galaxies
from darklens.simulation.priors import (
    ONE,
    HaloPrior,
    LensPrior,
    LightPrior,
    LinePrior,
    PicturePrior,
    SubhaloPrior,
)
from darklens.simulation.psf_files import read_psf

__all__ = [
    "Preset",
    "load_preset",
    "parse_preset",
    "preset_names",
]

_MOST_RAYS = 2**26
_LONGEST_LABEL = 100
_POPULATIONS = "populations-"  # names of presets that need the extra of that name


Component = Annotated[
    SubhaloPrior | LinePrior | HaloPrior,
    OneKey({"subhalos": SubhaloPrior, "line": LinePrior, "halos": HaloPrior}),
]
_PSF = Annotated[GaussianPSF | str, OneKey({"gaussian": GaussianPSF, "pixels": str})]
_NOISE = OneKey(
    {"none": NoNoise, "photon": PhotonNoise, "deeplensesim": DeepLenseSimNoise, "ccd": CCDNoise}
)


@dataclass(frozen=True)
class Preset:
    """Everything needed to draw lenses.

    Args:
        name: Name of the preset.
        description: What it describes, in a sentence or two.
        grid: Pixels of the image.
        cosmology: Distances.
        lens: Smooth lens.
        source: Light of the source.
        lens_light: Light of the lens, if any.
        classes: Substructure of each class, in the order of the labels.
        instrument: Telescope.
        exposure: Exposure time [s].
        noise: How the image is observed.
        scaled_files: Whether its `.npy` files are min-max scaled, as the benchmark's are.
        conditions: What is drawn anew for each image of PSF and sky.
        general: Whether a fit takes grid and noise from the image.
    """

    name: str
    description: str
    grid: PixelGrid
    lens: LensPrior
    source: LightPrior
    classes: Annotated[Mapping[str, tuple[Component, ...]], Field(min_length=1)]
    instrument: Instrument
    noise: Annotated[NoiseModel, _NOISE]
    exposure: Drawn = ONE
    cosmology: Cosmology = field(default_factory=Cosmology)
    lens_light: LightPrior | None = None
    scaled_files: bool = False
    conditions: InstanceOf[Conditions] = field(default_factory=Conditions)
    general: bool = False

    def __post_init__(self) -> None:
        if self.source.redshift is None:
            raise BadPreset("source: redshift is missing")
        if self.source.fraction is not None:
            raise BadPreset("source: fraction is of the source's flux, and for lens_light only")
        if self.lens_light is not None and (self.lens_light.clumps or self.lens_light.pictures):
            raise BadPreset("lens_light: only the source has clumps or pictures")
        for name, parts in self.classes.items():
            if sum(isinstance(part, HaloPrior) for part in parts) > 1:
                raise BadPreset(f"classes: {name} may have one population of halos only")
        if isinstance(self.instrument.psf, GaussianPSF):
            self.instrument.psf.kernel(self.grid.pixel_scale)  # too wide a one shows here
        rows, columns = self.grid.shape
        if (rays := rows * columns * self.instrument.supersampling**2) > _MOST_RAYS:
            raise BadPreset(
                f"grid: {rays} rays for one image, more than {_MOST_RAYS}: give fewer pixels or a "
                "smaller instrument: supersampling"
            )

    def __repr__(self) -> str:
        return (
            f"Preset({self.name!r}: {sides(self.grid.shape)} pixels of "
            f"{self.grid.pixel_scale:g} arcsec, {self.dtype}; classes {', '.join(self.classes)})"
        )

    def _repr_html_(self) -> str:
        from darklens.display import facts_html

        kinds = {
            SubhaloPrior: "subhalos",
            LinePrior: "a line of mass",
            HaloPrior: "halos in the lens and along the line of sight",
        }
        pictures = self.source.pictures
        facts = {
            "description": self.description,
            "images": f"{sides(self.grid.shape)} pixels of {self.grid.pixel_scale:g} arcsec, "
            f"{self.dtype}",
            **{
                f"class {name}": " and ".join(kinds[type(part)] for part in parts)
                or "no substructure"
                for name, parts in self.classes.items()
            },
            "source": f"{len(pictures.galaxies)} pictures" if pictures else "a Sersic profile",
            "light of the lens": "yes" if self.lens_light else "no",
            "PSF": repr(self.instrument.psf),
            "noise": repr(self.noise),
        }
        return facts_html(f"Preset {self.name}", facts)

    def with_continuous_lines(self) -> "Preset":
        """The same preset with continuous lines of mass in place of points."""
        classes = {
            name: tuple(
                part.continuous() if isinstance(part, LinePrior) else part for part in parts
            )
            for name, parts in self.classes.items()
        }
        return replace(self, classes=classes)

    def with_sersic_source(self) -> "Preset":
        """The same preset with the Sersic profile of the source in place of pictures."""
        return replace(self, source=replace(self.source, pictures=None))

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of the images: uint16 counts or float32."""
        counts = isinstance(self.noise, PhotonNoise | DeepLenseSimNoise)
        return np.dtype(np.uint16 if counts else np.float32)


def preset_names(*, populations: bool = True) -> list[str]:
    """Names of the presets that darklens ships.

    Args:
        populations: Whether to name those whose halos pyHalo draws, too.
    """
    names = sorted(p.name.removesuffix(".yaml") for p in _shipped().iterdir() if _is_yaml(p.name))
    return [name for name in names if populations or not name.startswith(_POPULATIONS)]


def load_preset(name_or_path: str | Path) -> Preset:
    """Preset by the name of a shipped one, or from a YAML file.

    Raises:
        BadPreset: If there is none, or if it is wrong; the message names the place.
    """
    content = parse_yaml(preset_text(name_or_path), f"preset {name_or_path}", BadPreset)
    try:
        return parse_preset(content, folder=Path(name_or_path).parent)
    except BadPreset as error:
        raise BadPreset(f"preset {name_or_path}: {error}") from None


def preset_text(name_or_path: str | Path) -> str:
    """The YAML text of a preset.

    Raises:
        BadPreset: If there is no such preset, or the file cannot be read.
    """
    if str(name_or_path) in preset_names():
        return str((_shipped() / f"{name_or_path}.yaml").read_text(encoding="utf-8"))
    path = Path(name_or_path)
    if not _is_yaml(path.name):
        raise BadPreset(
            f"there is no preset '{name_or_path}': choose {', '.join(preset_names())} "
            "or give a .yaml file"
        )
    return read_text(path, BadPreset)


def _shipped() -> Any:
    return resources.files("darklens.simulation") / "presets"


def _is_yaml(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def parse_preset(content: object, folder: Path | None = None) -> Preset:
    """Preset from a plain mapping, as `darklens.files.plain_yaml` reads it.

    Args:
        content: The mapping; checked here.
        folder: Folder of the files that it names, of a pixelised PSF and of pictures of galaxies;
            without it no file is read.

    Raises:
        BadPreset: If it is wrong; the message names the key.
    """
    content, conditions = take_conditions(content)
    if isinstance(content, Mapping):
        content = _with_psf({"description": ""} | dict(content), folder)
        content = _with_pictures(content, folder)
        content = {
            key: _without_booleans(content[key]) if key == "classes" else content[key]
            for key in content
        }
    preset: Preset = read_as(Preset, content, BadPreset, largest=LARGEST)
    description = " ".join(preset.description.split())
    classes = _canonical(preset.classes)
    return replace(preset, description=description, classes=classes, conditions=conditions)


def _with_psf(content: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """The content with the PSF itself in place of its description."""
    instrument = content.get("instrument")
    if not isinstance(instrument, Mapping) or "psf" not in instrument:
        return content
    place = "instrument.psf"
    psf = read_as(_PSF, instrument["psf"], BadPreset, place=place, largest=LARGEST)
    if isinstance(psf, str):
        psf = PixelPSF(read_psf(_named(psf, folder, f"{place}.pixels")))
    return content | {"instrument": dict(instrument) | {"psf": psf}}


def _with_pictures(content: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """The content with the pictures of galaxies themselves beside their description."""
    source = content.get("source")
    if not isinstance(source, Mapping) or source.get("pictures") is None:
        return content
    place = "source.pictures"
    prior = read_as(PicturePrior, source["pictures"], BadPreset, place=place, largest=LARGEST)
    path = _named(prior.files, folder, f"{place}.files")
    try:
        galaxies = read_galaxies(
            path, border=prior.border, denoise=prior.denoise, channel=prior.channel
        )
    except BadPreset as error:
        raise BadPreset(f"source.{error}") from None
    pictures = replace(prior, galaxies=galaxies)
    return content | {"source": dict(source) | {"pictures": pictures}}


def _named(name: str, folder: Path | None, place: str) -> Path:
    """The path of a file that a preset names."""
    if folder is None:
        raise BadPreset(f"{place}: a preset without a file of its own cannot name files")
    if "\0" in name:
        raise BadPreset(f"{place} must be the name of a file")
    return folder / name


def _without_booleans(classes: object) -> object:
    """The classes with `no` in place of False, which is how YAML 1.1 reads that word."""
    if not isinstance(classes, Mapping):
        return classes
    return {"no" if name is False else name: parts for name, parts in classes.items()}


def _canonical(
    classes: Mapping[str, tuple[Component, ...]],
) -> dict[str, tuple[Component, ...]]:
    """The classes by their canonical names."""
    found: dict[str, tuple[Component, ...]] = {}
    for written, components in classes.items():
        name = canonical_class(written)
        if not re.fullmatch(r"\w[\w-]*", name) or name in found or len(name) > _LONGEST_LABEL:
            raise BadPreset(
                f"classes: names must be different words of letters, digits, - and _, "
                f"not {written[:60]!r}"
            )
        found[name] = components
    return found
