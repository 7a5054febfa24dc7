"""The preprocessing declared by a card, including the one step that needs the physics."""

from typing import Any

from darklens.data import Preprocessing, build_preprocessing

__all__ = ["model_preprocessing"]


def model_preprocessing(spec: Any) -> Preprocessing:
    """Build the declared steps of a model, including `smooth_residual`.

    Raises:
        BadModel: If a step or a parameter is unknown, missing or of the wrong type.
    """
    return build_preprocessing(spec, {"smooth_residual": _smooth_residual})


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
