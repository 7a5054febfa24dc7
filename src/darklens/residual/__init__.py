"""The smooth fit as a preprocessing step: the one place where networks and physics meet."""

from darklens.residual.marginalised_residual import MarginalisedResidual
from darklens.residual.smooth_residual import SmoothResidual

__all__ = [
    "MarginalisedResidual",
    "SmoothResidual",
]
