"""The preprocessing declared by a card, including the steps that need the physics."""

from typing import Any

from darklens.data import Preprocessing, build_preprocessing

__all__ = ["model_preprocessing"]


def model_preprocessing(spec: Any) -> Preprocessing:
    """Build the declared steps of a model, including those that fit lenses.

    Raises:
        BadModel: If a step or a parameter is unknown, missing or of the wrong type.
    """
    fits = {"smooth_residual": _smooth_residual, "marginalised_residual": _marginalised_residual}
    return build_preprocessing(spec, fits)


def _smooth_residual(
    preset: Any,
    size: int,
    binning: int,
    half_lengths: Any = (),
    orientations: int = 12,
    largest_chi_square: float = 5.0,
) -> Any:
    """See `darklens.residual.SmoothResidual`; the physics is imported on first use."""
    from darklens.residual.smooth_residual import SmoothResidual

    return SmoothResidual(preset, size, binning, half_lengths, orientations, largest_chi_square)


def _marginalised_residual(
    preset: Any,
    size: int,
    binning: int,
    half_lengths: Any = (0.5, 0.85, 1.4),
    orientations: int = 12,
    largest_chi_square: float = 3.0,
) -> Any:
    """See `darklens.residual.MarginalisedResidual`."""
    from darklens.residual.marginalised_residual import MarginalisedResidual

    return MarginalisedResidual(
        preset, size, binning, half_lengths, orientations, largest_chi_square
    )
