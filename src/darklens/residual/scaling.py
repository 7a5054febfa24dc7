"""How maps are brought to order unity before a network sees them."""

import numpy as np

__all__ = ["clipped", "compressed", "excess", "is_positive"]

_CLIP = 8.0


def clipped(residual: np.ndarray) -> np.ndarray:
    """A residual in units of noise, within 8 sigma, halved."""
    return np.asarray(np.clip(residual, -_CLIP, _CLIP) / 2)


def compressed(significance: np.ndarray) -> np.ndarray:
    """Significance on a scale that is linear up to about 4 and logarithmic beyond."""
    return np.asarray(np.arcsinh(significance / 4))


def excess(chi_square: float, pixels: int) -> float:
    """Excess of a reduced chi-square over 1, in standard deviations, compressed."""
    return float(np.arcsinh((chi_square - 1) * np.sqrt(pixels / 2)) / 3)


def is_positive(value: object) -> bool:
    """Whether something is a number above zero."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
