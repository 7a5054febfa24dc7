"""Solvers against the closed form for Gaussian data, noise levels against their formula."""

import pytest
import torch

from darklens.diffusion import angular, equal_angles, heun, multistep, noise_levels
from darklens.diffusion.solvers import Denoiser

WIDTH = 1.5


def gaussian(images: torch.Tensor, sigma: float) -> torch.Tensor:
    """The best denoiser of data that are normal with the standard deviation WIDTH."""
    return images * WIDTH**2 / (WIDTH**2 + sigma**2)


def error(solver: object, steps: int, denoise: Denoiser = gaussian) -> float:
    """Relative error against the exact solution, x proportional to sqrt(WIDTH^2 + sigma^2)."""
    torch.manual_seed(0)
    start = 80 * torch.randn(4, 1, 3, 3, dtype=torch.float64)
    levels = noise_levels(steps, smallest=1e-3, largest=80.0)
    *_, last = solver(denoise, start, levels)  # type: ignore[operator]
    exact = start * WIDTH / (WIDTH**2 + 80.0**2) ** 0.5
    return float(((last - exact).abs() / exact.abs()).max())


@pytest.mark.parametrize("solver", [heun, multistep])
def test_the_error_falls_with_the_square_of_the_steps(solver: object) -> None:
    errors = [error(solver, steps) for steps in (20, 40, 80)]
    assert errors[-1] < 5e-3
    assert errors[0] / errors[1] > 3
    assert errors[1] / errors[2] > 3


def test_evaluations() -> None:
    calls = []

    def denoise(images: torch.Tensor, sigma: float) -> torch.Tensor:
        calls.append(sigma)
        return gaussian(images, sigma)

    error(multistep, 6, denoise)
    assert len(calls) == 6
    calls.clear()
    error(heun, 6, denoise)
    assert len(calls) == 11


def test_one_step_is_one_evaluation() -> None:
    assert noise_levels(1, smallest=1.0, largest=9.0).tolist() == pytest.approx([9.0])
    start = torch.randn(1, 1, 2, 2)
    for solver in (heun, multistep):
        (only,) = solver(gaussian, start, noise_levels(1, smallest=1.0, largest=9.0))
        assert torch.allclose(only, gaussian(start, 9.0))


def test_noise_levels_are_equation_5() -> None:
    levels = noise_levels(5, smallest=0.01, largest=100.0)
    expected = [
        (100 ** (1 / 7) + i / 4 * (0.01 ** (1 / 7) - 100 ** (1 / 7))) ** 7 for i in range(5)
    ]
    assert levels.tolist() == pytest.approx(expected)


def angular_error(width: float, spread: float, steps: int) -> float:
    """Relative error of the last noisy state for normal data of another width than the spread."""
    torch.manual_seed(0)
    start = spread * torch.randn(4, 3, dtype=torch.float64)
    levels = equal_angles(steps, smallest=1e-4, largest=40.0, spread=spread)

    def denoise(images: torch.Tensor, sigma: float) -> torch.Tensor:
        return images * width**2 / (width**2 + sigma**2)

    *_, last = angular(denoise, start, levels, spread=spread)
    noisy = start / (1 + (40.0 / spread) ** 2) ** -0.5  # x = z / cos
    exact = noisy * width / (width**2 + 40.0**2) ** 0.5
    return float(((last - exact).abs() / exact.abs()).max())


def test_any_number_of_angular_steps_is_exact_for_data_of_the_spread() -> None:
    for steps in (2, 3, 7):
        assert angular_error(1.5, 1.5, steps) < 1e-6


def test_the_error_of_angular_steps_falls_with_their_square() -> None:
    errors = [angular_error(0.7, 1.5, steps) for steps in (20, 40, 80)]
    assert errors[-1] < 5e-3
    assert errors[0] / errors[1] > 3
    assert errors[1] / errors[2] > 3


def test_equal_angles() -> None:
    levels = equal_angles(5, smallest=0.1, largest=8.0, spread=2.0)
    angles = torch.atan(levels / 2)
    assert levels[[0, -1]].tolist() == pytest.approx([8.0, 0.1])
    assert torch.allclose(angles.diff(), angles.diff().mean())
    start = torch.randn(1, 1, 2, 2)
    (only,) = angular(gaussian, start, equal_angles(1, smallest=1.0, largest=9.0))
    assert torch.allclose(only, gaussian(start * 82**0.5, 9.0))
