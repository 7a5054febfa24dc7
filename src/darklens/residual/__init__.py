"""The smooth fit as a preprocessing step: the one place where networks and physics meet."""

from darklens.residual.smooth_residual import SmoothResidual

__all__ = [
    "SmoothResidual",
]
