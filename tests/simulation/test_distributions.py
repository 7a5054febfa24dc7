"""The distributions against SciPy, and their YAML form."""

import numpy as np
import pytest
from scipy import stats

from darklens.errors import BadPreset
from darklens.simulation.distributions import (
    Constant,
    Distribution,
    LogUniform,
    Mixture,
    Normal,
    Poisson,
    PowerLaw,
    TruncatedNormal,
    Uniform,
    distribution_to_yaml,
    parse_distribution,
)


def power_law_cdf(low: float, high: float, index: float):  # type: ignore[no-untyped-def]
    power = index + 1
    return lambda m: (m**power - low**power) / (high**power - low**power)


CONTINUOUS = [
    (Uniform(-0.35, 0.35), stats.uniform(-0.35, 0.7).cdf),
    (LogUniform(1e-24, 1e-22), stats.loguniform(1e-24, 1e-22).cdf),
    (Normal(2.0, 0.5), stats.norm(2.0, 0.5).cdf),
    (
        TruncatedNormal(1.28, 0.17, 0.83, 1.66),
        stats.truncnorm((0.83 - 1.28) / 0.17, (1.66 - 1.28) / 0.17, 1.28, 0.17).cdf,
    ),
    (PowerLaw(1e6, 1e10, -0.9), power_law_cdf(1e6, 1e10, -0.9)),
    (PowerLaw(1e6, 1e10, -1.9), power_law_cdf(1e6, 1e10, -1.9)),
    (PowerLaw(1e6, 1e10, -1.0), stats.loguniform(1e6, 1e10).cdf),
]


@pytest.mark.parametrize(("distribution", "cdf"), CONTINUOUS, ids=lambda d: type(d).__name__)
def test_draws_follow_the_distribution(distribution: Distribution, cdf) -> None:  # type: ignore[no-untyped-def]
    draws = distribution.sample(np.random.default_rng(0), 20000)
    assert stats.kstest(draws, cdf).pvalue > 0.001


def test_poisson_draws_follow_the_distribution() -> None:
    draws = Poisson(25.0).sample(np.random.default_rng(0), 20000)
    edges = np.arange(14, 38)
    observed = np.bincount(np.clip(draws, 13, 38).astype(int) - 13, minlength=26)
    cumulative = stats.poisson(25).cdf(np.r_[edges - 1, edges[-1]])
    expected = np.diff(np.r_[0, cumulative, 1]) * draws.size
    assert stats.chisquare(observed, expected).pvalue > 0.001


def test_mass_function_matches_the_published_inverse_transform() -> None:
    u = np.random.default_rng(0).random(100)
    published = (1e6**0.1 + (1e10**0.1 - 1e6**0.1) * u) ** 10
    found = PowerLaw(1e6, 1e10, -0.9).sample(np.random.default_rng(0), 100)
    np.testing.assert_allclose(found, published, rtol=1e-12)


def test_a_mixture_draws_from_its_parts_by_weight() -> None:
    mixture = Mixture(((1.0, Constant(7.0)), (3.0, Uniform(0.0, 2.0))))
    draws = mixture.sample(np.random.default_rng(0), 20000)
    uniform = draws[draws != 7.0]
    assert stats.binomtest(uniform.size, 20000, 0.75).pvalue > 0.001
    assert stats.kstest(uniform, stats.uniform(0, 2).cdf).pvalue > 0.001
    assert mixture.largest == 7.0


def test_a_constant_takes_nothing_from_the_generator() -> None:
    rng = np.random.default_rng(0)
    assert Constant(3.0).draw(rng) == 3.0
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize(
    "value",
    [
        2.5,
        {"uniform": [0.0, 1.0]},
        {"log_uniform": [1e-24, 1e-22]},
        {"normal": [0.0, 1.0]},
        {"truncated_normal": [1.28, 0.17, 0.83, 1.66]},
        {"power_law": [1e6, 1e10, -1.9]},
        {"poisson": [25.0]},
        {"mixture": [[0.5, 2.0], [1.5, {"uniform": [1.85, 2.15]}]]},
    ],
)
def test_yaml_form_goes_round(value: object) -> None:
    assert distribution_to_yaml(parse_distribution(value, "x")) == value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"uniform": [1, 0]}, "needs low < high"),
        ({"uniform": [0]}, "uniform: needs the numbers low, high"),
        ({"uniform": [0, "a"]}, "uniform.high must be a number, not 'a'"),
        ({"uniform": [0, 1, 2]}, "uniform: needs the numbers low, high"),
        ({"log_uniform": [0, 1]}, "needs 0 < low < high"),
        ({"power_law": [-1, 1, -1.9]}, "needs 0 < low < high"),
        ({"truncated_normal": [9, 0.1, 0, 1]}, "five deviations out of its bounds"),
        ({"truncated_normal": [0, 1, 0, 1e-12]}, "hardly any draw"),
        ({"power_law": [1e-20, 1, -30]}, "too steep"),
        ({"uniform": [0, 1e30]}, "uniform.high must be at most"),
        ({"mixture": []}, "mixture.parts must have 1 entries or more"),
        ({"mixture": 3}, "mixture.parts must be a list"),
        ({"mixture": [[0, 3]]}, r"mixture.parts\[0\]\[0\] must be above 0"),
        ({"mixture": [[1, {"unifrom": [0, 1]}]]}, r"parts\[0\]\[1\] must be .* mean 'uniform'"),
        ({"mixture": [[1, {"mixture": [[1, 2]]}]]}, "must be a number or exactly one of uniform"),
        (10**300, "must be at most"),
        (1e30, r"must be at most 1e\+20, not 1e\+30"),
        ({"triangle": [0, 1]}, "must be a number or exactly one of uniform"),
        ("uniform", "radius.uniform.low is missing"),
        (True, "must be a number or exactly one of uniform"),
        ({}, "must be a number or exactly one of uniform"),
    ],
)
def test_a_wrong_declaration_is_one_line_with_its_place(value: object, message: str) -> None:
    with pytest.raises(BadPreset, match=message) as caught:
        parse_distribution(value, "source.radius")
    assert str(caught.value).startswith("source.radius")
    assert "\n" not in str(caught.value)
