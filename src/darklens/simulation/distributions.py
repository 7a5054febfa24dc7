"""The distributions of the parameters in a preset, drawn from an explicit generator.

In YAML a plain number is a constant, and a mapping with one key names a distribution:
`{uniform: [0, 1]}`, `{log_uniform: [1e-24, 1e-22]}`, `{normal: [0, 1]}`,
`{truncated_normal: [1.28, 0.17, 0.83, 1.66]}`, `{power_law: [1e6, 1e10, -1.9]}`, `{poisson: 25}`.
The parameters may also be named, as in `{uniform: {low: 0, high: 1}}`. A mixture is a list of
weights and distributions: `{mixture: [[0.5, 2], [0.5, {uniform: [1.85, 2.15]}]]}`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from functools import partial
from typing import Annotated, Any

import numpy as np
from numpy.random import Generator
from pydantic import BeforeValidator, Field
from scipy.special import ndtr

from darklens.errors import BadPreset
from darklens.files.schema import OneKey, read_as

__all__ = [
    "LARGEST",
    "Constant",
    "Distribution",
    "Drawn",
    "LogUniform",
    "Mixture",
    "Normal",
    "Poisson",
    "PowerLaw",
    "TruncatedNormal",
    "Uniform",
    "distribution_to_yaml",
    "parse_distribution",
]


LARGEST = 1e20
"""Largest size of a number in a preset; masses reach 1e15 M_sun."""

_RAREST = 1e-4
_MOST_DECADES = 300


class Distribution(ABC):
    """A distribution of real numbers."""

    @property
    @abstractmethod
    def largest(self) -> float:
        """Largest value, or one that is hardly ever exceeded."""

    @abstractmethod
    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """`count` independent draws."""

    def draw(self, rng: Generator) -> float:
        """One draw."""
        return float(self.sample(rng, 1)[0])


@dataclass(frozen=True)
class Constant(Distribution):
    """Always `value`; takes nothing from the generator."""

    value: float

    @property
    def largest(self) -> float:
        return self.value

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.full(count, self.value)

    def draw(self, rng: Generator) -> float:
        return self.value


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform between `low` and `high`."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self, self.low, self.high)

    @property
    def largest(self) -> float:
        return self.high

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return rng.uniform(self.low, self.high, count)

    def draw(self, rng: Generator) -> float:
        return rng.uniform(self.low, self.high)


@dataclass(frozen=True)
class LogUniform(Distribution):
    """Uniform in the logarithm between `low` and `high`, both positive."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self, self.low, self.high, positive=True)

    @property
    def largest(self) -> float:
        return self.high

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.exp(rng.uniform(np.log(self.low), np.log(self.high), count))


@dataclass(frozen=True)
class Normal(Distribution):
    """Normal with `mean` and `deviation`."""

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        _check_deviation(self, self.deviation)

    @property
    def largest(self) -> float:
        return self.mean + 10 * self.deviation

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return rng.normal(self.mean, self.deviation, count)


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """Normal with `mean` and `deviation`, drawn again until it lies within `low` and `high`."""

    mean: float
    deviation: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _check_order(self, self.low, self.high)
        _check_deviation(self, self.deviation)
        if not self.low - 5 * self.deviation < self.mean < self.high + 5 * self.deviation:
            raise BadPreset(f"{self}: the mean lies more than five deviations out of its bounds")
        if self._share_within() < _RAREST:
            raise BadPreset(f"{self}: hardly any draw lies within low and high")

    def _share_within(self) -> float:
        """Share of the draws from the whole normal distribution that are kept."""
        if self.deviation == 0:
            return float(self.low <= self.mean <= self.high)
        low, high = ((end - self.mean) / self.deviation for end in (self.low, self.high))
        return float(ndtr(high) - ndtr(low))

    @property
    def largest(self) -> float:
        return self.high

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        values = rng.normal(self.mean, self.deviation, count)
        while (outside := (values < self.low) | (values > self.high)).any():
            values[outside] = rng.normal(self.mean, self.deviation, int(outside.sum()))
        return values


@dataclass(frozen=True)
class PowerLaw(Distribution):
    """Density proportional to the power `index` between `low` and `high`, both positive."""

    low: float
    high: float
    index: float

    def __post_init__(self) -> None:
        _check_order(self, self.low, self.high, positive=True)
        powers = [end * np.log10([self.low, self.high]) for end in (self.index, self.index + 1)]
        if np.abs(powers).max() > _MOST_DECADES:
            raise BadPreset(f"{self}: the index is too steep for these ends")

    @property
    def largest(self) -> float:
        return self.high

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        u = rng.random(count)
        power = self.index + 1
        if abs(power) < 1e-12:
            return np.asarray(self.low * (self.high / self.low) ** u)
        low, high = self.low**power, self.high**power
        return np.asarray((low + (high - low) * u) ** (1 / power))


@dataclass(frozen=True)
class Poisson(Distribution):
    """Poisson number with `mean`."""

    mean: float

    def __post_init__(self) -> None:
        if not 0 <= self.mean < 1e9:
            raise BadPreset(f"{self}: the mean must lie between 0 and 1e9")

    @property
    def largest(self) -> float:
        return float(self.mean + 10 * np.sqrt(self.mean))

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return rng.poisson(self.mean, count).astype(np.float64)


_NAMES: dict[str, type[Distribution]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "normal": Normal,
    "truncated_normal": TruncatedNormal,
    "power_law": PowerLaw,
    "poisson": Poisson,
}


def _named(kind: type[Any], value: Any) -> Any:
    """Parameters by name from a list of them, or from a single number."""
    names = [field.name for field in fields(kind)]
    if isinstance(value, Mapping):
        return value
    numbers = list(value) if isinstance(value, list | tuple) else [value]
    if len(numbers) != len(names):
        raise ValueError(f"needs the numbers {', '.join(names)}")
    return dict(zip(names, numbers, strict=True))


_SIMPLE = {
    name: Annotated[kind, BeforeValidator(partial(_named, kind))] for name, kind in _NAMES.items()
}


@dataclass(frozen=True)
class Mixture(Distribution):
    """Each draw is one of some distributions, chosen in proportion to their weights."""

    parts: Annotated[
        tuple[
            tuple[
                Annotated[float, Field(gt=0)],
                Annotated[Distribution, OneKey(_SIMPLE, number=Constant)],
            ],
            ...,
        ],
        Field(min_length=1),
    ]

    @property
    def largest(self) -> float:
        return max(part.largest for _, part in self.parts)

    @property
    def weights(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Weights of the parts, of sum one."""
        weights = np.array([weight for weight, _ in self.parts])
        return np.asarray(weights / weights.sum())

    def sample(self, rng: Generator, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        steps = np.cumsum(self.weights)[:-1]
        chosen = np.searchsorted(steps, rng.random(count), side="right")
        values = np.empty(count)
        for k, (_, part) in enumerate(self.parts):
            values[chosen == k] = part.sample(rng, int((chosen == k).sum()))
        return values


def _as_parts(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {"parts": value}


Drawn = Annotated[
    Distribution,
    OneKey({**_SIMPLE, "mixture": Annotated[Mixture, BeforeValidator(_as_parts)]}, number=Constant),
]
"""Annotation of a parameter that a preset gives as a number or as a distribution."""


def parse_distribution(value: object, place: str) -> Distribution:
    """Distribution from its YAML form.

    Args:
        value: A number, or a mapping such as `{uniform: [0, 1]}` or `{uniform: {low: 0, high: 1}}`.
        place: Path of the value in the preset, for messages.

    Raises:
        BadPreset: If it is not one; the message begins with the path.
    """
    distribution: Distribution = read_as(Drawn, value, BadPreset, place=place, largest=LARGEST)
    return distribution


def distribution_to_yaml(distribution: Distribution) -> float | dict[str, list[Any]]:
    """The YAML form of a distribution, the inverse of `parse_distribution`."""
    if isinstance(distribution, Constant):
        return distribution.value
    if isinstance(distribution, Mixture):
        parts = [[weight, distribution_to_yaml(part)] for weight, part in distribution.parts]
        return {"mixture": parts}
    name = next(name for name, kind in _NAMES.items() if isinstance(distribution, kind))
    return {name: [float(number) for number in astuple(distribution)]}  # type: ignore[call-overload]


def _check_order(what: Distribution, low: float, high: float, *, positive: bool = False) -> None:
    if not low < high or (positive and not low > 0):
        raise BadPreset(f"{what}: needs {'0 < ' if positive else ''}low < high")


def _check_deviation(what: Distribution, deviation: float) -> None:
    if not deviation >= 0:
        raise BadPreset(f"{what}: the deviation must not be negative")
