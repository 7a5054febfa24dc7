"""Two-sample tests between sets of counts images of DeepLenseSim Model I, chosen beforehand.

Twelve summary statistics are compared one by one (Kolmogorov-Smirnov, Holm-corrected) and
together, by a classifier with fixed features in five folds (Lopez-Paz & Oquab 2017,
arXiv:1610.06545). An image is (150, 150) counts; lengths are pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from scipy import fft, ndimage

from darklens.lensing.noise import NoiseModel
from darklens.lensing.poisson import poisson
from darklens.metrics import classifier_two_sample, holm_correction, kolmogorov_smirnov
from darklens.simulation import Simulator, load_preset

SIDE = 150
STATISTICS = (
    "total counts",
    "peak counts",
    "background mean",
    "background variance",
    "share of empty pixels",
    "mean radius",
    "ring radius",
    "flux within 20 pixels",
    "ellipticity along the axes",
    "ellipticity along the diagonals",
    "high-frequency power",
    "noise of the bright pixels",
)
_Y, _X = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
_R = np.hypot(_X, _Y)
_CORNERS = (abs(_X) > 54) & (abs(_Y) > 54)
_RING = _R.astype(np.int64).ravel()
_HIGH = np.hypot(np.fft.fftfreq(SIDE)[:, np.newaxis], np.fft.rfftfreq(SIDE)) > 0.4
_LEVELS = (0.03, 0.1, 0.2, 0.35, 0.6)

holm = holm_correction


@dataclass(frozen=True)
class SingleNoise(NoiseModel):
    """The noise of DeepLenseSim Model I without its first photon noise: the positive control."""

    background_rms: float = 0.01

    def observe(
        self, flux: np.ndarray, exposure: float, sky_rate: float, rng: np.random.Generator
    ) -> np.ndarray:
        background = self.background_rms * rng.standard_normal(flux.shape)
        return poisson(np.maximum(exposure * (flux + sky_rate + background), 0), rng)


def single_noise_simulator() -> Simulator:
    """`model-1-legacy`, but with the photon noise applied only once."""
    return Simulator(replace(load_preset("model-1-legacy"), noise=SingleNoise()))


def features(images: Iterable[np.ndarray]) -> np.ndarray:
    """Features of each image (images, 31): the statistics, noise at five levels, a profile.

    Brightness and variance enter as logarithms, which rank tests do not notice.
    """
    return np.array([_features(image.astype(np.float64)) for image in images])


def _features(image: np.ndarray) -> np.ndarray:
    profile = np.bincount(_RING // 5, image.ravel())[:14] / np.bincount(_RING // 5)[:14]
    noise = noise_ratios(image)
    summary = np.array([*_summary(image), noise[-1]])
    summary[:4] = np.log(summary[:4])
    return np.concatenate([summary, np.log(noise), np.log(profile / image.mean())])


def _summary(image: np.ndarray) -> list[float]:
    background = image[_CORNERS]
    smooth = ndimage.gaussian_filter(image, 2.0)
    signal = np.where(smooth > background.mean() + 0.1 * smooth.max(), image, 0)
    total = signal.sum()
    x, y = (signal * _X).sum() / total, (signal * _Y).sum() / total
    xx, yy = (signal * (_X - x) ** 2).sum() / total, (signal * (_Y - y) ** 2).sum() / total
    xy = (signal * (_X - x) * (_Y - y)).sum() / total
    profile = np.bincount(_RING, image.ravel()) / np.bincount(_RING)
    power = np.abs(fft.rfft2(image)[_HIGH]) ** 2 / image.size
    return [
        image.sum(),
        image.max(),
        background.mean(),
        background.var(),
        (image == 0).mean(),
        (signal * _R).sum() / total,
        ndimage.uniform_filter1d(profile, 5)[:75].argmax(),
        signal[_R < 20].sum() / total,
        (xx - yy) / (xx + yy),
        2 * xy / (xx + yy),
        power.mean() / image.mean(),
    ]


def noise_ratios(image: np.ndarray) -> list[float]:
    """Variance over mean, from the fourth difference, at five levels of brightness.

    Blocks of 2 x 2 pixels, differenced along both axes, contain the noise and little of the image.
    """
    a, b, c, d = (image[i::2, j::2] for i in (0, 1) for j in (0, 1))
    squared, mean = (a - b - c + d) ** 2 / 4, (a + b + c + d) / 4
    level = ndimage.gaussian_filter(mean, 1.0)
    level = level / level.max()
    ratios = []
    for low, high in zip(_LEVELS, (*_LEVELS[1:], np.inf), strict=True):
        chosen = (level >= low) & (level < high)
        ratios.append(float(squared[chosen].mean() / mean[chosen].mean()))
    return ratios


def compare(real: np.ndarray, simulated: np.ndarray) -> np.ndarray:
    """Kolmogorov-Smirnov p values of the twelve statistics in two tables, uncorrected."""
    chosen = slice(len(STATISTICS))
    return kolmogorov_smirnov(real[:, chosen], simulated[:, chosen])[1]


def classifier_auc(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """AUC of a logistic regression between two tables of features, and its 95 % interval.

    There are five folds, and the AUC is that of their held-out rows.
    """
    result = classifier_two_sample(first, second)
    return float(result.value), float(result.low), float(result.high)
