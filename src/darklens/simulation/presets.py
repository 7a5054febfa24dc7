"""Presets: small declarations of distributions from which lenses are drawn.

A preset is a YAML file (see `presets/` beside this file, and the page on simulation in the
documentation). Each number may be constant or a distribution. Angles in presets are degrees from
the x axis towards the y axis, lengths on the sky arcsec, masses M_sun.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np

from darklens.classes import canonical_class
from darklens.errors import BadPreset
from darklens.files.plain_yaml import parse_yaml, read_text
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
from darklens.simulation.conditions import Conditions, take_distribution
from darklens.simulation.distributions import Constant, Distribution, finite, parse_distribution
from darklens.simulation.psf_files import read_psf

__all__ = [
    "LensPrior",
    "LightPrior",
    "LinePrior",
    "Preset",
    "SubhaloPrior",
    "load_preset",
    "parse_preset",
    "preset_names",
]

ZERO = Constant(0.0)
ONE = Constant(1.0)
_MOST_SUBHALOS = 100_000
_MOST_POINTS = 100_000  # of a line
_MOST_RAYS = 2**26
_LONGEST_LABEL = 100
FULL_CIRCLE = parse_distribution({"uniform": [0, 360]}, "angle")


@dataclass(frozen=True)
class LensPrior:
    """The smooth lens: a singular isothermal ellipsoid with external shear.

    Its Einstein radius is either given or follows from `mass` and the redshifts.
    """

    redshift: Distribution
    mass: Distribution | None = None
    einstein_radius: Distribution | None = None
    axis_ratio: Distribution = ONE
    position_angle: Distribution = ZERO
    x: Distribution = ZERO
    y: Distribution = ZERO
    shear: Distribution = ZERO
    shear_angle: Distribution = ZERO

    def __post_init__(self) -> None:
        if (self.mass is None) == (self.einstein_radius is None):
            raise BadPreset("lens: give either mass or einstein_radius")


@dataclass(frozen=True)
class LightPrior:
    """Sersic light, of the source or of the lens.

    Its brightness is either the `amplitude` at the Sersic radius [counts/s/arcsec^2] or the
    total `magnitude`. Its centre is (x, y) plus `offset` in the direction `offset_angle`.
    """

    radius: Distribution
    sersic_index: Distribution
    redshift: Distribution | None = None
    amplitude: Distribution | None = None
    magnitude: Distribution | None = None
    axis_ratio: Distribution = ONE
    position_angle: Distribution = ZERO
    x: Distribution = ZERO
    y: Distribution = ZERO
    offset: Distribution = ZERO
    offset_angle: Distribution = ZERO
    b_n: Literal["exact", "lenstronomy", "prugniel"] = "exact"

    def __post_init__(self) -> None:
        if (self.amplitude is None) == (self.magnitude is None):
            raise BadPreset("light: give either amplitude or magnitude")


@dataclass(frozen=True)
class SubhaloPrior:
    """Subhalos as point masses, or as truncated NFW halos where `concentration` is given.

    `mass` is M200 for halos; `truncation` is in units of the scale radius. Positions are polar,
    around the lens. `number` is rounded, and below zero it counts as zero.
    """

    number: Distribution
    mass: Distribution
    radius: Distribution
    angle: Distribution = FULL_CIRCLE
    concentration: Distribution | None = None
    truncation: Distribution | None = None

    def __post_init__(self) -> None:
        if (self.concentration is None) != (self.truncation is None):
            raise BadPreset("subhalos: halos need both concentration and truncation")
        if self.number.largest > _MOST_SUBHALOS:
            raise BadPreset(f"subhalos: number may be at most {_MOST_SUBHALOS}")


@dataclass(frozen=True)
class LinePrior:
    """A straight line of uniform mass, the community's toy for an axion vortex.

    Its half length is either given, or follows from the axion's mass [eV] as
    `length_scale` arcsec times 1e-22 eV / `axion_mass`. `points` 0 is the closed form.
    """

    mass: Distribution
    half_length: Distribution | None = None
    axion_mass: Distribution | None = None
    length_scale: float = 0.03
    position_angle: Distribution = FULL_CIRCLE
    radius: Distribution = ZERO
    angle: Distribution = FULL_CIRCLE
    points: int = 0

    def __post_init__(self) -> None:
        if (self.half_length is None) == (self.axion_mass is None):
            raise BadPreset("line: give either half_length or axion_mass")
        if not 0 <= self.points <= _MOST_POINTS:
            raise BadPreset(f"line: points must be from 0 to {_MOST_POINTS}")
        if not 0 < self.length_scale <= 3600:
            raise BadPreset("line: length_scale must be from 0 to 3600 arcsec")


@dataclass(frozen=True)
class Preset:
    """All that is needed to draw lenses.

    Args:
        name: Name of the preset.
        description: What it stands for, in a sentence or two.
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
    classes: Mapping[str, tuple[SubhaloPrior | LinePrior, ...]]
    instrument: Instrument
    noise: NoiseModel
    exposure: Distribution = ONE
    cosmology: Cosmology = field(default_factory=Cosmology)
    lens_light: LightPrior | None = None
    scaled_files: bool = False
    conditions: Conditions = field(default_factory=Conditions)
    general: bool = False

    def __post_init__(self) -> None:
        if self.source.redshift is None:
            raise BadPreset("source: redshift is missing")
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

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of the images: uint16 counts or float32."""
        counts = isinstance(self.noise, PhotonNoise | DeepLenseSimNoise)
        return np.dtype(np.uint16 if counts else np.float32)


def preset_names() -> list[str]:
    """Names of the presets that darklens ships."""
    return sorted(p.name.removesuffix(".yaml") for p in _shipped().iterdir() if _is_yaml(p.name))


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


_NOISE: dict[str, type[NoiseModel]] = {
    "none": NoNoise,
    "photon": PhotonNoise,
    "deeplensesim": DeepLenseSimNoise,
    "ccd": CCDNoise,
}


def parse_preset(content: object, folder: Path | None = None) -> Preset:
    """Preset from a plain mapping, as `darklens.files.plain_yaml` reads it.

    Args:
        content: The mapping; checked here.
        folder: Where the file of a pixelised PSF lies; without it no file is read.

    Raises:
        BadPreset: If it is wrong; the message names the place.
    """
    top = _mapping(content, "preset")
    instrument = _mapping(top.pop("instrument", {}), "instrument")
    fwhm = None
    if "psf" in instrument:
        instrument["psf"], fwhm = _parse_psf(instrument["psf"], folder)
    noise, settings = _single(top.pop("noise", None), "noise", _NOISE)
    settings = _mapping(settings, f"noise: {noise}")
    sky = take_distribution(instrument, "sky_magnitude", "instrument")
    background = take_distribution(settings, "background", f"noise: {noise}")
    grid = _mapping(top.pop("grid", None), "grid")
    shape = grid.get("shape")
    if not isinstance(shape, list) or [type(side) for side in shape] != [int, int]:
        raise BadPreset("grid: shape must be [rows, columns]")
    grid["shape"] = tuple(shape)
    parts: dict[str, Any] = {
        "grid": _build(PixelGrid, grid, "grid"),
        "lens": _build(LensPrior, top.pop("lens", None), "lens"),
        "source": _build(LightPrior, top.pop("source", None), "source"),
        "classes": _parse_classes(top.pop("classes", None)),
        "instrument": _build(Instrument, instrument, "instrument"),
        "noise": _build(_NOISE[noise], settings, f"noise: {noise}"),
        "cosmology": _build(Cosmology, top.pop("cosmology", {}), "cosmology"),
        "conditions": Conditions(fwhm, sky, background),
    }
    for switch in ("scaled_files", "general"):
        parts[switch] = top.pop(switch, False) is True
    if "lens_light" in top:
        parts["lens_light"] = _build(LightPrior, top.pop("lens_light"), "lens_light")
    if "exposure" in top:
        parts["exposure"] = parse_distribution(top.pop("exposure"), "exposure")
    unknown = set(top) - {"name", "description"}
    if unknown or "name" not in top:
        raise BadPreset(f"unknown key '{min(unknown)}'" if unknown else "name is missing")
    description = " ".join(str(top.get("description", "")).split())
    return Preset(name=str(top["name"]), description=description, **parts)


def _parse_classes(value: object) -> dict[str, tuple[SubhaloPrior | LinePrior, ...]]:
    kinds = {"subhalos": SubhaloPrior, "line": LinePrior}
    classes: dict[str, tuple[SubhaloPrior | LinePrior, ...]] = {}
    for written, components in _mapping(value, "classes").items():
        name, where = canonical_class(written), f"classes: {written}"
        if not re.fullmatch(r"\w[\w-]*", name) or name in classes or len(name) > _LONGEST_LABEL:
            raise BadPreset(f"{where}: names must be different words of letters, digits, - and _")
        if not isinstance(components, list):
            raise BadPreset(f"{where}: a list of substructure is needed ([] for none)")
        parsed = [_single(component, where, kinds) for component in components]
        classes[name] = tuple(
            _build(kinds[kind], settings, f"{where}: {kind}") for kind, settings in parsed
        )
    if not classes:
        raise BadPreset("classes: at least one is needed")
    return classes


def _parse_psf(
    value: object, folder: Path | None
) -> tuple[GaussianPSF | PixelPSF, Distribution | None]:
    """The PSF, and the distribution of its width where it has one."""
    kind, settings = _single(value, "psf", {"gaussian": None, "pixels": None})
    if kind == "gaussian":
        settings = _mapping(settings, "psf: gaussian")
        fwhm = take_distribution(settings, "fwhm", "psf: gaussian")
        return _build(GaussianPSF, settings, "psf: gaussian"), fwhm
    if folder is None:
        raise BadPreset("psf: a preset that is not in a file of its own cannot name files")
    if not isinstance(settings, str) or "\0" in settings:
        raise BadPreset("psf: pixels needs the name of a file")
    return PixelPSF(read_psf(folder / settings)), None


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadPreset(f"{where}: a mapping is needed" + (" (missing)" if value is None else ""))
    return {str(key): item for key, item in value.items()}


def _single(value: object, where: str, known: Mapping[str, object]) -> tuple[str, Any]:
    """The one key of a mapping such as `{photon: {...}}`, and what stands behind it."""
    names = ", ".join(known)
    if isinstance(value, str) and value in known:
        return value, {}
    if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in known:
        raise BadPreset(f"{where}: exactly one of {names} is needed")
    name, settings = next(iter(value.items()))
    return str(name), {} if settings is None else settings


def _build(kind: type[Any], value: object, where: str) -> Any:
    """An instance of the dataclass `kind` from a YAML mapping, each field by its type."""
    settings = _mapping(value, where)
    known = {f.name: f for f in fields(kind)}
    if unknown := set(settings) - set(known):
        raise BadPreset(f"{where}: unknown key '{min(unknown)}' (known: {', '.join(known)})")
    for name, f in known.items():
        if name not in settings and f.default is MISSING and f.default_factory is MISSING:
            raise BadPreset(f"{where}: {name} is missing")
    arguments = {
        name: _value(item, known[name].type, f"{where}: {name}") for name, item in settings.items()
    }
    try:
        return kind(**arguments)
    except (TypeError, ValueError) as error:
        raise BadPreset(f"{where}: {error}") from None


def _value(value: object, annotation: Any, where: str) -> Any:
    """A YAML value as the field's type wants it."""
    if annotation in (Distribution, Distribution | None):
        return parse_distribution(value, where)
    if annotation in (float, float | None, int):
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BadPreset(f"{where}: a number is needed, not {str(value)[:60]!r}")
        if annotation is int and (not float(value).is_integer() or abs(value) > 1e15):
            raise BadPreset(f"{where}: a whole number is needed, not {value:g}")
        return int(value) if annotation is int else finite(value)
    if get_origin(annotation) is Literal and value not in get_args(annotation):
        raise BadPreset(f"{where}: {value!r} is none of {', '.join(get_args(annotation))}")
    return value
