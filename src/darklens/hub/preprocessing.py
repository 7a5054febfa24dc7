"""The preprocessing declared by a card, including the steps that need the physics."""

from typing import Any, NotRequired, Unpack

from typing_extensions import TypedDict  # as pydantic needs it before Python 3.12

from darklens.data import Preprocessing, build_preprocessing

__all__ = ["model_preprocessing"]


class _Options(TypedDict):
    """What a card may declare of a fit; `darklens.residual` has the defaults."""

    preset: Any
    size: int
    binning: int
    half_lengths: NotRequired[Any]
    orientations: NotRequired[int]
    largest_chi_square: NotRequired[float]


class _MarginalisedOptions(_Options):
    """The same of a marginalised fit."""

    source_structure: NotRequired[bool]


def model_preprocessing(spec: Any) -> Preprocessing:
    """Build the declared steps of a model, including those that fit lenses.

    Raises:
        BadModel: If a step or a parameter is unknown, missing or of the wrong type.
    """
    fits = {"smooth_residual": _smooth_residual, "marginalised_residual": _marginalised_residual}
    return build_preprocessing(spec, fits)


def _smooth_residual(**options: Unpack[_Options]) -> Any:
    from darklens.residual import SmoothResidual  # the physics is imported on first use

    return SmoothResidual(**options)


def _marginalised_residual(**options: Unpack[_MarginalisedOptions]) -> Any:
    from darklens.residual import MarginalisedResidual

    return MarginalisedResidual(**options)
