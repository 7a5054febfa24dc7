"""What a preset says of the parts of a lens: a distribution for each of their parameters.

Angles are degrees from the x axis towards the y axis, lengths on the sky arcsec, masses M_sun.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field, InstanceOf

from darklens.errors import BadPreset
from darklens.simulation.distributions import Constant, Distribution, Drawn, parse_distribution
from darklens.simulation.galaxy_pictures import GalaxyPicture

__all__ = [
    "MULTIPOLES",
    "ONE",
    "ZERO",
    "ClumpPrior",
    "HaloPrior",
    "LensPrior",
    "LightPrior",
    "LinePrior",
    "PicturePrior",
    "SubhaloPrior",
]

ZERO = Constant(0.0)
ONE = Constant(1.0)
ISOTHERMAL = Constant(2.0)
MULTIPOLES = (1, 3, 4)
"""Orders of the multipoles of the lens."""

FULL_CIRCLE = parse_distribution({"uniform": [0, 360]}, "angle")

_SIGMA_SUB, _HOST = Constant(0.025), Constant(13.3)  # what pyHalo assumes
_MOST_SUBHALOS = 100_000
_MOST_CLUMPS = 1000
_MOST_POINTS = 100_000  # of a line


def _either(**alternatives: Distribution | None) -> None:
    """Make sure that one of two parameters is given."""
    if list(alternatives.values()).count(None) != 1:
        raise BadPreset(f"give either {' or '.join(alternatives)}")


def _at_most(most: int, **numbers: Distribution) -> None:
    """Make sure that a preset cannot ask for too many of something."""
    for name, number in numbers.items():
        if number.largest > most:
            raise BadPreset(f"{name} may be at most {most}")


@dataclass(frozen=True)
class LensPrior:
    """The smooth lens: an elliptical power law with multipoles and external shear.

    Its Einstein radius is either given or follows from `mass` and the redshifts. `slope` is that
    of the density: 2 is the singular isothermal ellipsoid. `multipole_m` is the amplitude of the
    multipole of order m over the Einstein radius, `multipole_m_angle` its angle [deg].
    """

    redshift: Drawn
    mass: Drawn | None = None
    einstein_radius: Drawn | None = None
    axis_ratio: Drawn = ONE
    position_angle: Drawn = ZERO
    x: Drawn = ZERO
    y: Drawn = ZERO
    shear: Drawn = ZERO
    shear_angle: Drawn = ZERO
    slope: Drawn = ISOTHERMAL
    multipole_1: Drawn = ZERO
    multipole_1_angle: Drawn = ZERO
    multipole_3: Drawn = ZERO
    multipole_3_angle: Drawn = ZERO
    multipole_4: Drawn = ZERO
    multipole_4_angle: Drawn = ZERO

    def __post_init__(self) -> None:
        _either(mass=self.mass, einstein_radius=self.einstein_radius)

    def multipole(self, order: int) -> tuple[Distribution, Distribution]:
        """Amplitude and angle of the multipole of this order."""
        name = f"multipole_{order}"
        return getattr(self, name), getattr(self, f"{name}_angle")


@dataclass(frozen=True)
class ClumpPrior:
    """Round Sersic clumps in the source.

    Each has the `fraction` of the source's flux, which the smooth source loses: the total stays.
    It lies `offset` from the source's centre in the direction `angle`. `number` is rounded, and
    below zero it counts as zero.
    """

    number: Drawn
    fraction: Drawn
    offset: Drawn
    radius: Drawn
    sersic_index: Drawn = ONE
    angle: Drawn = FULL_CIRCLE

    def __post_init__(self) -> None:
        _at_most(_MOST_CLUMPS, number=self.number)


@dataclass(frozen=True)
class PicturePrior:
    """Pictures of real galaxies in place of the Sersic profile of the source.

    One of the `galaxies` in `files` is chosen for each lens, and turned by `rotation` [deg]. Its
    flux is that of the Sersic profile, and its size on the sky is changed so that the radius of
    that profile holds half of the light, or kept (`keep_size`). `pixel_scale` is that of the files
    [arcsec]; `border`, `denoise` and `channel` are those of `read_galaxies`.
    """

    files: str
    pixel_scale: Annotated[float, Field(gt=0, le=3600)]
    border: Annotated[float, Field(ge=0.05, le=1)] = 0.25
    denoise: Annotated[float, Field(ge=0, le=100)] = 3.0
    channel: Annotated[int, Field(ge=0)] | None = None
    rotation: Drawn = FULL_CIRCLE
    keep_size: bool = False
    galaxies: tuple[InstanceOf[GalaxyPicture], ...] = ()


@dataclass(frozen=True)
class LightPrior:
    """Sersic light, of the source or of the lens.

    Its brightness is the `amplitude` at the Sersic radius [counts/s/arcsec^2], the total
    `magnitude` or, for the lens, its total flux as a `fraction` of the source's. Its centre is
    (x, y) plus `offset` in the direction `offset_angle`. With `pictures` the source has the flux,
    the radius and the centre of this profile, and the shape of a real galaxy.
    """

    radius: Drawn
    sersic_index: Drawn
    redshift: Drawn | None = None
    amplitude: Drawn | None = None
    magnitude: Drawn | None = None
    fraction: Drawn | None = None
    axis_ratio: Drawn = ONE
    position_angle: Drawn = ZERO
    x: Drawn = ZERO
    y: Drawn = ZERO
    offset: Drawn = ZERO
    offset_angle: Drawn = ZERO
    b_n: Literal["exact", "lenstronomy", "prugniel"] = "exact"
    clumps: ClumpPrior | None = None
    pictures: PicturePrior | None = None

    def __post_init__(self) -> None:
        if self.clumps is not None and self.pictures is not None:
            raise BadPreset("give either clumps or pictures: those of real galaxies have their own")
        if [self.amplitude, self.magnitude, self.fraction].count(None) != 2:
            raise BadPreset("give either amplitude or magnitude, or for lens_light fraction")


@dataclass(frozen=True)
class SubhaloPrior:
    """Subhalos as point masses, or as truncated NFW halos where `concentration` is given.

    `mass` is M200 for halos; `truncation` is in units of the scale radius. Positions are polar,
    around the lens. `number` is rounded, and below zero it counts as zero.
    """

    number: Drawn
    mass: Drawn
    radius: Drawn
    angle: Drawn = FULL_CIRCLE
    concentration: Drawn | None = None
    truncation: Drawn | None = None

    def __post_init__(self) -> None:
        if (self.concentration is None) != (self.truncation is None):
            raise BadPreset("halos need both concentration and truncation")
        _at_most(_MOST_SUBHALOS, number=self.number)


@dataclass(frozen=True)
class LinePrior:
    """A straight line of mass, the community's toy for an axion vortex.

    Its half length is either given, or follows from the axion's mass [eV] as
    `length_scale` arcsec times 1e-22 eV / `axion_mass`.

    The line is continuous where `points` is 0, otherwise that many point masses, rounded. With
    `spacing` 0 they are evenly spaced from end to end, with 1 they lie at independent uniform
    places, and between these each place is interpolated. `mass_spread` is the standard deviation
    of their masses over the mean mass: the masses follow a gamma distribution, and are scaled to
    the mass of the line.
    """

    mass: Drawn
    half_length: Drawn | None = None
    axion_mass: Drawn | None = None
    length_scale: Annotated[float, Field(gt=0, le=3600)] = 0.03
    position_angle: Drawn = FULL_CIRCLE
    radius: Drawn = ZERO
    angle: Drawn = FULL_CIRCLE
    points: Drawn = ZERO
    spacing: Drawn = ZERO
    mass_spread: Drawn = ZERO

    def __post_init__(self) -> None:
        _either(half_length=self.half_length, axion_mass=self.axion_mass)
        _at_most(_MOST_POINTS, points=self.points)
        if self.uneven and self.points == ZERO:
            raise BadPreset("spacing and mass_spread are of points: give their number, too")

    @property
    def uneven(self) -> bool:
        """Whether the points may be unevenly spaced or of unequal mass."""
        return self.spacing != ZERO or self.mass_spread != ZERO

    def continuous(self) -> "LinePrior":
        """The same line as a continuous one of uniform mass, which is what a fit assumes."""
        return replace(self, points=ZERO, spacing=ZERO, mass_spread=ZERO)


@dataclass(frozen=True)
class HaloPrior:
    """A population of halos in the lens and along the line of sight, drawn by pyHalo.

    `model` is the kind of dark matter. Warm dark matter needs `log_half_mode_mass` (base 10,
    M_sun), self-interacting dark matter the effective `cross_section` [cm^2/g], fuzzy dark matter
    the `axion_mass` [eV].

    `sigma_sub` is the number of subhalos at 1e8 M_sun for each logarithm of mass and square
    kiloparsec, `line_of_sight` scales the mass function of the halos outside the lens, and
    `log_host_mass` is that of the host (base 10, M_sun). Halos from `log_lowest_mass` to
    `log_highest_mass` are drawn in a cone of the diameter `field_of_view` [arcsec] at the lens.
    """

    model: Literal["cold", "warm", "self_interacting", "fuzzy"]
    sigma_sub: Drawn = _SIGMA_SUB
    line_of_sight: Drawn = ONE
    log_host_mass: Drawn = _HOST
    log_lowest_mass: Annotated[float, Field(ge=5, le=10)] = 7.0
    log_highest_mass: Annotated[float, Field(ge=6, le=12)] = 10.0
    field_of_view: Annotated[float, Field(gt=0, le=60)] = 6.0
    log_half_mode_mass: Drawn | None = None
    cross_section: Drawn | None = None
    axion_mass: Drawn | None = None

    def __post_init__(self) -> None:
        if self.log_lowest_mass >= self.log_highest_mass:
            raise BadPreset("log_lowest_mass must be below log_highest_mass")
        own = {
            "warm": ("log_half_mode_mass", self.log_half_mode_mass),
            "self_interacting": ("cross_section", self.cross_section),
            "fuzzy": ("axion_mass", self.axion_mass),
        }
        for model, (name, value) in own.items():
            if (value is not None) != (model == self.model):
                verb = "needs" if model == self.model else "has no"
                raise BadPreset(f"halos of {self.model} dark matter: the model {verb} {name}")
