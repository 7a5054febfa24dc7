"""Summary statistics of Common Test I images, as in the published statistics file.

An image is (150, 150), min-max scaled to [0, 1]. `image_statistics` computes the quantities named
in `IMAGE_STATISTICS` for one image; `summarise` gives their quantiles, means and standard
deviations over a sample of images. Lengths are in pixels from the centre of the array.
"""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from scipy import fft

from darklens.simulation import Simulator

SIDE = 150
PROFILE_BINS = 37
HISTOGRAM_QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
FREQUENCIES = (0.0067, 0.0133, 0.02, 0.0333, 0.05, 0.0667, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""Rings of the power spectrum [cycles/pixel]."""

_Y, _X = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)
_R = np.hypot(_X, _Y)
_SKY_70, _SKY_80, _SKY_85, _CORE = (mask.ravel() for mask in (_R > 70, _R > 80, _R > 85, _R < 4))
_RING = _R.astype(np.int64).ravel()
_RING_AREA = np.bincount(_RING)
_FX, _FY = np.fft.rfftfreq(SIDE), np.fft.fftfreq(SIDE)
_FREQUENCY = np.rint(np.hypot(_FX[np.newaxis], _FY[:, np.newaxis]) * SIDE).astype(np.int64).ravel()
# Each column of a half spectrum but the first and the last counts for two of the full spectrum.
_TWICE = np.where((np.arange(_FX.size) % (SIDE // 2)) == 0, 1.0, 2.0)
_FREQUENCY_WEIGHT = np.broadcast_to(_TWICE, (SIDE, _FX.size)).ravel()
_RINGS_OF_POWER = [round(frequency * SIDE) for frequency in FREQUENCIES]
_FREQUENCY_COUNT = np.bincount(_FREQUENCY, _FREQUENCY_WEIGHT)


SCALARS = (
    "ring_radius_px",
    "r_bright_px",
    "n_bright_gt_0.5",
    "r_flux_weighted_px",
    "cx_px",
    "cy_px",
    "rms_x_px",
    "rms_y_px",
    "mean",
    "std",
    "median",
    "bg_mean_norm",
    "bg_std_norm",
    "background_fraction_pix_below_bg+3sigma",
    "flux_fraction_crop100_raw",
    "flux_fraction_crop100_sky_subtracted",
    "center_mean_r<4px",
    "peak_range_K",
)
IMAGE_STATISTICS = (
    *SCALARS,
    *(f"profile_{2 * i + 1}" for i in range(PROFILE_BINS)),
    *(f"quantile_{q}" for q in HISTOGRAM_QUANTILES),
    *(f"power_{frequency:.4f}" for frequency in FREQUENCIES),
)
_WHERE = {name: i for i, name in enumerate(IMAGE_STATISTICS)}


def image_statistics(image: np.ndarray) -> np.ndarray:
    """All statistics of one scaled image (150, 150), in the order of `IMAGE_STATISTICS`."""
    flat = image.ravel()
    ordered = np.sort(flat)
    bright = flat > 0.5
    rings = np.bincount(_RING, flat)[: 2 * PROFILE_BINS + 1]
    profile = rings / _RING_AREA[: rings.size]
    sky, deviation = np.median(flat[_SKY_80]), flat[_SKY_80].std()
    signal = np.where(image > sky + 5 * deviation, image - sky, 0)
    raw_crop, crop_sky = image[25:125, 25:125].sum(), flat[_SKY_85].mean()
    steps = np.diff(np.sort(flat[_SKY_85]))
    scalars = (
        np.convolve(profile, np.full(3, 1 / 3), "same").argmax() + 0.5,
        _R.ravel()[bright].mean(),
        bright.sum(),
        *_moments(signal),
        flat.mean(),
        flat.std(),
        _quantile(ordered, 0.5),
        flat[_SKY_70].mean(),
        flat[_SKY_70].std(),
        (flat < sky + 3 * deviation).mean(),
        raw_crop / flat.sum(),
        (raw_crop - 1e4 * crop_sky) / (flat.sum() - flat.size * crop_sky),
        flat[_CORE].mean(),
        round(1 / steps[steps > 1e-9].min()),
    )
    wide = rings[: 2 * PROFILE_BINS].reshape(-1, 2).sum(axis=1)
    area = _RING_AREA[: 2 * PROFILE_BINS].reshape(-1, 2).sum(axis=1)
    quantiles = [_quantile(ordered, q) for q in HISTOGRAM_QUANTILES]
    power = np.abs(fft.rfft2(image - flat.mean())).ravel() ** 2 / flat.size
    spectrum = np.bincount(_FREQUENCY, power * _FREQUENCY_WEIGHT) / _FREQUENCY_COUNT
    return np.concatenate([scalars, wide / area, quantiles, spectrum[_RINGS_OF_POWER]])


def _moments(signal: np.ndarray) -> tuple[float, ...]:
    """Mean radius, centroid and rms widths of the light above the sky."""
    total = signal.sum()
    columns, rows, axis = signal.sum(axis=0), signal.sum(axis=1), _X[0]
    x, y = columns @ axis / total, rows @ axis / total
    rms_x, rms_y = (np.sqrt(s @ (axis - c) ** 2 / total) for s, c in ((columns, x), (rows, y)))
    return float((signal * _R).sum() / total), x, y, rms_x, rms_y


def _quantile(ordered: np.ndarray, q: float) -> float:
    """Quantile of sorted values, interpolated as in `numpy.quantile`."""
    place = q * (SIDE**2 - 1)
    low = int(place)
    return float(ordered[low] + (place - low) * (ordered[low + 1] - ordered[low]))


def min_max(counts: np.ndarray) -> np.ndarray:
    """Counts (..., h, w) with each image scaled to [0, 1]."""
    counts = counts.astype(np.float64)
    low, high = (f(axis=(-2, -1), keepdims=True) for f in (counts.min, counts.max))
    return np.asarray((counts - low) / (high - low))


def summarise(table: np.ndarray) -> dict[str, np.ndarray]:
    """Summaries of samples of images, keyed as `statistic/summary`.

    Args:
        table: Image statistics (..., images, len(IMAGE_STATISTICS)).

    Returns:
        One array (...) for each summary of the statistics file.
    """
    summaries: dict[str, np.ndarray] = {}
    groups: tuple[tuple[Sequence[str], tuple[str, ...]], ...] = (
        (SCALARS, ("min", "p25", "median", "p75", "max", "mean", "std")),
        ([n for n in _WHERE if n.startswith("profile")], ("p10", "p25", "p50", "p75", "p90")),
        ([n for n in _WHERE if n.startswith("quantile")], ("median",)),
        ([n for n in _WHERE if n.startswith("power")], ("p10", "median", "p90")),
    )
    for names, kinds in groups:
        columns = table[..., [_WHERE[name] for name in names]]
        for kind in kinds:
            values = _summary(columns, kind)
            summaries |= {f"{name}/{kind}": values[..., i] for i, name in enumerate(names)}
    return summaries


def summarise_groups(table: np.ndarray, classes: Sequence[str]) -> dict[str, dict[str, np.ndarray]]:
    """Summaries over all images and over those of each class; table (..., classes, n, k)."""
    everything = table.reshape(*table.shape[:-3], -1, table.shape[-1])
    groups = {"all": summarise(everything)}
    return groups | {name: summarise(table[..., i, :, :]) for i, name in enumerate(classes)}


def simulate_table(simulator: Simulator, count: int, *, seed: int) -> np.ndarray:
    """Image statistics of `count` simulated images (count, statistics)."""
    images = (image for image, _ in islice(simulator.stream(seed=seed), count))
    return np.array([image_statistics(min_max(image[0])) for image in images])


def simulate_samples(simulator: Simulator, count: int, *, seed: int) -> np.ndarray:
    """Image statistics of samples of five images per class (count, classes, 5, statistics)."""
    n = len(simulator.classes)
    table = simulate_table(simulator, count * 5 * n, seed=seed)
    return table.reshape(count, 5, n, -1).transpose(0, 2, 1, 3)


def outside(
    real: np.ndarray, samples: np.ndarray, classes: Sequence[str], *, share: float = 0.998
) -> tuple[list[str], np.ndarray]:
    """The summaries of the real images that lie outside the central `share` of the samples.

    Args:
        real: Image statistics (classes, 5, statistics).
        samples: The same of simulated samples (samples, classes, 5, statistics).
        classes: Names of the classes.
        share: Central share of the samples.

    Returns:
        Their names, as `group/statistic/summary`, and the number of summaries of each simulated
        sample outside the same limits: among so many summaries, a few always are.
    """
    found, counts = [], np.zeros(len(samples), dtype=np.int64)
    simulated = summarise_groups(samples, classes)
    for group, summary in summarise_groups(real, classes).items():
        for key, value in summary.items():
            theirs = simulated[group][key]
            low, high = np.quantile(theirs, [(1 - share) / 2, (1 + share) / 2])
            counts += (theirs < low) | (theirs > high)
            if not low <= value <= high:
                found.append(f"{group}/{key}")
    return found, counts


def _summary(columns: np.ndarray, kind: str) -> np.ndarray:
    if kind == "std":
        return np.asarray(columns.std(axis=-2, ddof=1))
    if kind in ("min", "max", "mean"):
        return np.asarray(getattr(np, kind)(columns, axis=-2))
    percent = {"median": 50}.get(kind) or int(kind.removeprefix("p"))
    return np.asarray(np.percentile(columns, percent, axis=-2))


def flatten_published(group: dict) -> dict[str, float]:
    """A group of the published statistics file under the keys of `summarise`."""
    flat: dict[str, float] = {}
    for name in SCALARS:
        flat |= {f"{name}/{kind}": value for kind, value in group[name].items()}
    for kind, values in group["radial_profile_2px_bins"].items():
        if kind != "r_px_centre":
            flat |= {f"profile_{2 * i + 1}/{kind}": value for i, value in enumerate(values)}
    for q, value in group["hist_quantiles_median_over_images"].items():
        flat[f"quantile_{float(q)}/median"] = value
    for frequency, summary in group["power_spectrum"].items():
        flat |= {f"power_{frequency}/{kind}": value for kind, value in summary.items()}
    return flat
