"""The sliders of the simulation tab: one flat set of numbers that declares one lens.

`preset_content` turns them into a preset of constants, which `darklens simulate` and `Simulator`
take as well, so that an image on the page can be made again anywhere, to the last bit.
`settings_like` goes the other way: settings that resemble a lens of a shipped preset.
"""

from dataclasses import dataclass
from pprint import pformat
from typing import Annotated, Any, Literal, get_args, get_type_hints

import numpy as np
from pydantic import Field

from darklens.errors import BadInput
from darklens.lensing.instrument import GaussianPSF
from darklens.lensing.noise import CCDNoise, DeepLenseSimNoise, NoNoise, PhotonNoise
from darklens.simulation import Preset, Simulator, preset_names

__all__ = ["LensSettings", "limits_of", "preset_content", "python_lines", "settings_like"]

_LEAST_MASS = 1e6  # of a subhalo [M_sun]
_NAME = "page"


def _from(low: float, high: float) -> Any:
    return Field(ge=low, le=high)


@dataclass(frozen=True)
class LensSettings:
    """Settings of one simulated lens.

    Angles are degrees from the x axis towards the y axis, lengths arcsec, masses M_sun. The lens is
    at the centre of the image.

    Attributes:
        einstein_radius: Einstein radius of the smooth lens.
        axis_ratio: Minor over major axis of its mass.
        position_angle: Direction of its major axis.
        slope: Slope of its density; 2 is isothermal.
        shear: External shear.
        shear_angle: Its direction.
        source_x: Place of the source.
        source_y: Place of the source.
        source_radius: Radius that holds half of its light.
        source_sersic_index: Its Sersic index.
        source_axis_ratio: Minor over major axis of its light.
        source_position_angle: Direction of its major axis.
        source_brightness: Surface brightness at its radius [counts/s/pixel].
        lens_light: Total light of the lens, in units of the unlensed source's.
        lens_light_radius: Radius that holds half of it.
        substructure: `no`, `sphere` for subhalos, `vort` for a line of mass.
        subhalos: Number of subhalos, as point masses.
        subhalo_mass: Largest mass of a subhalo; the smallest is 1e6.
        subhalo_slope: Exponent of their mass function dn/dm.
        subhalo_reach: Largest distance of a subhalo from the lens.
        line_mass: Mass of the line.
        line_half_length: Half its length.
        line_position_angle: Its direction.
        line_offset: Distance of its centre from the lens.
        line_offset_angle: Direction of its centre.
        z_lens: Redshift of the lens.
        z_source: Redshift of the source.
        distances: `angular`, or `luminosity` as in the published simulator.
        pixels: Side of the image [pixel].
        pixel_scale: Pixel scale [arcsec/pixel].
        psf_fwhm: Full width at half maximum of the Gaussian PSF.
        exposure: Exposure time [s].
        sky: Brightness of the sky [counts/s/pixel].
        noise: Whether there is photon noise.
        seed: Seed of subhalos and noise.
    """

    einstein_radius: Annotated[float, _from(0.1, 5)] = 1.3
    axis_ratio: Annotated[float, _from(0.2, 1)] = 1.0
    position_angle: Annotated[float, _from(-180, 180)] = 0.0
    slope: Annotated[float, _from(1.5, 2.5)] = 2.0
    shear: Annotated[float, _from(0, 0.4)] = 0.1
    shear_angle: Annotated[float, _from(-180, 180)] = 0.0
    source_x: Annotated[float, _from(-2, 2)] = 0.1
    source_y: Annotated[float, _from(-2, 2)] = 0.05
    source_radius: Annotated[float, _from(0.02, 2)] = 0.5
    source_sersic_index: Annotated[float, _from(0.5, 6)] = 1.5
    source_axis_ratio: Annotated[float, _from(0.1, 1)] = 0.8
    source_position_angle: Annotated[float, _from(-180, 180)] = 0.0
    source_brightness: Annotated[float, _from(1e-4, 5000)] = 100.0
    lens_light: Annotated[float, _from(0, 100)] = 0.0
    lens_light_radius: Annotated[float, _from(0.05, 5)] = 1.0
    substructure: Literal["no", "sphere", "vort"] = "sphere"
    subhalos: Annotated[int, _from(0, 500)] = 25
    subhalo_mass: Annotated[float, _from(1.1e6, 1e11)] = 1e10
    subhalo_slope: Annotated[float, _from(-3, 0)] = -0.9
    subhalo_reach: Annotated[float, _from(0.1, 10)] = 2.0
    line_mass: Annotated[float, _from(1e7, 1e12)] = 4e10
    line_half_length: Annotated[float, _from(0.05, 5)] = 1.0
    line_position_angle: Annotated[float, _from(-180, 180)] = 30.0
    line_offset: Annotated[float, _from(0, 5)] = 0.6
    line_offset_angle: Annotated[float, _from(-360, 360)] = 60.0
    z_lens: Annotated[float, _from(0.01, 5)] = 0.5
    z_source: Annotated[float, _from(0.02, 10)] = 1.0
    distances: Literal["angular", "luminosity"] = "luminosity"
    pixels: Annotated[int, _from(32, 256)] = 150
    pixel_scale: Annotated[float, _from(0.01, 0.5)] = 0.05
    psf_fwhm: Annotated[float, _from(0.01, 2)] = 0.2
    exposure: Annotated[float, _from(0.01, 100_000)] = 1.0
    sky: Annotated[float, _from(0, 10_000)] = 10.0
    noise: bool = True
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 0

    def __post_init__(self) -> None:
        """Check what the fields' types cannot say.

        Raises:
            BadInput: If the source is not behind the lens.
        """
        if not self.z_lens < self.z_source:
            raise BadInput(f"z_source must be above z_lens {self.z_lens:g}, not {self.z_source:g}")


def limits_of(name: str) -> tuple[float, float]:
    """Lowest and highest value of a setting that is a number.

    >>> limits_of("shear")
    (0, 0.4)
    """
    _, found = get_args(get_type_hints(LensSettings, include_extras=True)[name])
    bounds = {key: value for item in found.metadata for key, value in _bound(item)}
    return bounds["ge"], bounds["le"] if "le" in bounds else bounds["lt"]


def _bound(item: Any) -> list[tuple[str, float]]:
    return [(key, getattr(item, key)) for key in ("ge", "le", "lt") if hasattr(item, key)]


def preset_content(settings: LensSettings) -> dict[str, Any]:
    """The settings as the content of a preset, for `parse_preset` or a YAML file."""
    per_area = settings.pixel_scale**2
    content: dict[str, Any] = {
        "name": _NAME,
        "description": "One lens, from the sliders of darklens serve.",
        "cosmology": {"distances": settings.distances},
        "grid": {"shape": [settings.pixels] * 2, "pixel_scale": settings.pixel_scale},
        "lens": {
            "redshift": settings.z_lens,
            "einstein_radius": settings.einstein_radius,
            "axis_ratio": settings.axis_ratio,
            "position_angle": settings.position_angle,
            "slope": settings.slope,
            "shear": settings.shear,
            "shear_angle": settings.shear_angle,
        },
        "source": {
            "redshift": settings.z_source,
            "x": settings.source_x,
            "y": settings.source_y,
            "radius": settings.source_radius,
            "sersic_index": settings.source_sersic_index,
            "axis_ratio": settings.source_axis_ratio,
            "position_angle": settings.source_position_angle,
            "amplitude": settings.source_brightness / per_area,
        },
        "classes": {settings.substructure: _substructure(settings)},
        "instrument": {"psf": {"gaussian": {"fwhm": settings.psf_fwhm}}, "supersampling": 2},
        "exposure": settings.exposure,
        "noise": {"photon" if settings.noise else "none": _background(settings)},
    }
    if settings.lens_light > 0:
        content["lens_light"] = {
            "fraction": settings.lens_light,
            "radius": settings.lens_light_radius,
            "sersic_index": 4,
            "axis_ratio": settings.axis_ratio,
            "position_angle": settings.position_angle,
        }
    return content


def _background(settings: LensSettings) -> dict[str, float]:
    return {"background": settings.sky * settings.exposure}


def _substructure(settings: LensSettings) -> list[dict[str, Any]]:
    if settings.substructure == "sphere":
        masses = [_LEAST_MASS, settings.subhalo_mass, settings.subhalo_slope]
        reach = {"uniform": [0, settings.subhalo_reach]}
        subhalos = {"number": settings.subhalos, "mass": {"power_law": masses}, "radius": reach}
        return [{"subhalos": subhalos}]
    if settings.substructure == "vort":
        line = {
            "mass": settings.line_mass,
            "half_length": settings.line_half_length,
            "position_angle": settings.line_position_angle,
            "radius": settings.line_offset,
            "angle": settings.line_offset_angle,
        }
        return [{"line": line}]
    return []


def python_lines(settings: LensSettings) -> str:
    """Lines of Python that make the same image."""
    content = pformat(preset_content(settings), width=92, sort_dicts=False)
    return (
        "from darklens.simulation import Simulator, parse_preset\n\n"
        f"preset = parse_preset(\n    {content.replace(chr(10), chr(10) + '    ')}\n)\n"
        f"lens = Simulator(preset).lens(0, seed={settings.seed})\n"
        "image = lens.image\n"
    )


def settings_like(preset: str, label: str | None, seed: int) -> LensSettings:
    """Settings that resemble lens `seed` of a shipped preset.

    The smooth lens, the source and the line are those of the lens; subhalos, clumps and multipoles
    are not, and a PSF that is not Gaussian becomes one.

    Args:
        preset: Name of a shipped preset.
        label: Class; the first of the preset if None.
        seed: Which lens.

    Raises:
        BadInput: If there is no such preset or class.
    """
    if preset not in preset_names():
        raise BadInput(f"there is no preset '{preset}': choose {', '.join(preset_names())}")
    simulator = Simulator(preset, classes=None if label is None else (label,))
    drawn = simulator.lens(0, seed=seed).parameters
    found = _of_lens(drawn) | _of_source(drawn, simulator.preset) | _of_telescope(drawn, simulator)
    known = simulator.classes[0]
    found |= {"substructure": known if known in ("no", "sphere", "vort") else "no", "seed": seed}
    found["distances"] = simulator.preset.cosmology.distances
    if "line_mass" in drawn:
        x, y = drawn["line_x"], drawn["line_y"]
        found |= {name: drawn[name] for name in ("line_mass", "line_half_length")}
        found["line_position_angle"] = _half_turn(drawn["line_position_angle"])
        found["line_offset"] = float(np.hypot(x, y))
        found["line_offset_angle"] = float(np.rad2deg(np.arctan2(y, x)))
    if masses := drawn.get("subhalo_mass"):
        reach = np.hypot(drawn["subhalo_x"], drawn["subhalo_y"]).max()
        found |= {"subhalos": len(masses), "subhalo_mass": max(masses)}
        found["subhalo_reach"] = float(reach)
    return LensSettings(**{name: _within(name, value) for name, value in found.items()})


def _of_lens(drawn: dict[str, Any]) -> dict[str, Any]:
    return {
        "einstein_radius": drawn["einstein_radius"],
        "axis_ratio": drawn["lens_axis_ratio"],
        "position_angle": _half_turn(drawn["lens_position_angle"]),
        "slope": drawn.get("lens_slope", 2.0),
        "shear": drawn["shear"],
        "shear_angle": _half_turn(drawn["shear_angle"]),
        "z_lens": drawn["z_lens"],
        "z_source": drawn["z_source"],
    }


def _of_source(drawn: dict[str, Any], preset: Preset) -> dict[str, Any]:
    names = ("radius", "sersic_index", "axis_ratio", "position_angle")
    found = {f"source_{name}": drawn[f"source_{name}"] for name in names}
    found["source_position_angle"] = _half_turn(found["source_position_angle"])
    found["source_x"] = drawn["source_x"] - drawn["lens_x"]
    found["source_y"] = drawn["source_y"] - drawn["lens_y"]
    found["source_brightness"] = drawn["source_amplitude"] * preset.grid.pixel_area
    if "lens_light_amplitude" in drawn:
        light = _total_light(drawn, "lens_light") / _total_light(drawn, "source")
        found |= {"lens_light": light, "lens_light_radius": drawn["lens_light_radius"]}
    return found


def _total_light(drawn: dict[str, Any], part: str) -> float:
    """Light of a Sersic profile up to a constant, which hardly depends on its index."""
    return float(drawn[f"{part}_amplitude"] * drawn[f"{part}_radius"] ** 2)


def _of_telescope(drawn: dict[str, Any], simulator: Simulator) -> dict[str, Any]:
    preset, exposure = simulator.preset, drawn["exposure"]
    noise, psf = preset.noise, preset.instrument.psf
    sky = preset.instrument.sky_rate(preset.grid.pixel_area)
    if isinstance(noise, CCDNoise):
        sky += noise.read_noise**2 / exposure
        exposure *= noise.exposures
    elif isinstance(noise, PhotonNoise | NoNoise):
        sky += noise.background / exposure + noise.background_rms**2 * exposure
    elif isinstance(noise, DeepLenseSimNoise):
        sky += noise.background_rms / np.sqrt(2 * np.pi)  # normal noise, cut at zero
    width = psf.fwhm if isinstance(psf, GaussianPSF) else 2 * preset.grid.pixel_scale
    return {
        "pixels": min(preset.grid.shape),
        "pixel_scale": preset.grid.pixel_scale,
        "psf_fwhm": drawn.get("psf_fwhm", width),
        "exposure": exposure,
        "sky": sky,
        "noise": not isinstance(noise, NoNoise),
    }


def _half_turn(degrees: float) -> float:
    """The same direction between -90 and 90 degrees."""
    return (degrees + 90) % 180 - 90


def _within(name: str, value: Any) -> Any:
    """The value, moved into the limits of its setting."""
    if isinstance(value, bool | str):
        return value
    low, high = limits_of(name)
    kind = int if isinstance(value, int) else float
    return kind(min(max(value, low), high))
