"""Each step of the named protocols of the Inception FID, computed independently."""

import dataclasses
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import scipy
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from darklens.errors import BadData, BadInput
from darklens.evaluate import INCEPTION_PROTOCOLS, Measurer, Pixels, score_generator
from darklens.evaluate.generator import inception
from darklens.evaluate.generator.inception import Inception
from darklens.evaluate.generator.protocols import check_counts, clean_resized, named_protocols
from darklens.evaluate.generator.summary_statistics import SummaryStatistics

GENERATOR = np.random.default_rng(0)
IMAGES = np.clip(GENERATOR.normal(0.4, 0.4, (3, 40, 40)), -0.5, 1.5).astype(np.float32)


@pytest.fixture(scope="module")
def network(inception_weights: Path) -> Inception:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "_SHA256_STARTS", "")
        return Inception(inception_weights)


@pytest.fixture(scope="module")
def layers(inception_weights: Path) -> torch.nn.Module:
    """The network of torch-fidelity itself."""
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    return fidelity.FeatureExtractorInceptionV3(
        "any", ["2048"], feature_extractor_weights_path=str(inception_weights)
    )


def weights_along_a_side(old: int, new: int, kind: str) -> np.ndarray:
    """Matrix (new, old) of an antialiased filter: its width grows with the step between pixels."""
    step = old / new
    width = max(step, 1.0)
    centres = (np.arange(new) + 0.5) * step
    x = np.abs((np.arange(old) + 0.5 - centres[:, None]) / width)
    if kind == "bilinear":
        w = np.clip(1 - x, 0, None)
    else:  # Keys 1981, a = -1/2
        near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        w = np.where(x < 1, near, np.where(x < 2, far, 0))
    return w / w.sum(axis=1, keepdims=True)


def resized(images: np.ndarray, side: int, kind: str) -> np.ndarray:
    rows = weights_along_a_side(images.shape[1], side, kind)
    columns = weights_along_a_side(images.shape[2], side, kind)
    return np.einsum("ab,nbc,dc->nad", rows, images.astype(np.float64), columns, optimize=True)


def as_tensorflow_1(images: np.ndarray, side: int) -> np.ndarray:
    """Bilinear from the upper left corner of pixels, without antialiasing."""
    places = np.arange(side) * images.shape[1] / side
    low = np.floor(places).astype(int)
    high = np.minimum(low + 1, images.shape[1] - 1)
    share = places - low
    rows = images[:, low] * (1 - share[:, None]) + images[:, high] * share[:, None]
    return rows[:, :, low] * (1 - share) + rows[:, :, high] * share


def frechet_by_square_roots(first: np.ndarray, second: np.ndarray) -> float:
    """The distance by SciPy's matrix square root, in the space that the features span."""
    axes = np.linalg.qr(np.concatenate([first, second]).T)[0]
    a, b = first @ axes, second @ axes
    c, d = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(c @ d + 1e-12 * np.trace(c @ d) * np.eye(len(c)))
    return float(
        np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(c) + np.trace(d) - 2 * np.trace(root).real
    )


def test_the_protocols_are_the_published_ones() -> None:
    assert [
        (p.name, p.images, p.side, p.resizing, p.published) for p in INCEPTION_PROTOCOLS.values()
    ] == [
        ("fid-3040", 3040, 144, "inside", 6.01),
        ("clean-fid-1000-64", 1000, 64, "clean", 2.20),
        ("fid-10000", 10_000, None, "inside", None),
    ]
    assert all(name == protocol.name for name, protocol in INCEPTION_PROTOCOLS.items())
    steps = [protocol.steps() for protocol in INCEPTION_PROTOCOLS.values()]
    assert "resized to 64 x 64 (bicubic)" in steps[1]
    assert all(first != second for first, second in pairwise(steps))


@pytest.mark.parametrize("name", ["fid-3040", "clean-fid-1000-64"])
@pytest.mark.parametrize("side", [40, 200])
def test_first_resizing_is_antialiased_and_rounded_to_8_bits(name: str, side: int) -> None:
    images = np.clip(GENERATOR.normal(0.4, 0.4, (2, side, side)), -0.5, 1.5).astype(np.float32)
    protocol = INCEPTION_PROTOCOLS[name]
    found = protocol.pictures(images)
    assert (found.shape, found.dtype) == ((2, protocol.side, protocol.side), np.uint8)
    expected = 255 * resized(np.clip(images, 0, 1), int(protocol.side or 0), protocol.filter)
    assert np.abs(found - np.clip(expected, 0, 255)).max() < 0.501, "rounded, not truncated"
    overshoots = expected.min() < -1
    assert overshoots == (protocol.filter == "bicubic" and side == 40), "clipped after resizing"


def test_images_keep_their_size_and_are_clipped_and_rounded() -> None:
    found = INCEPTION_PROTOCOLS["fid-10000"].pictures(IMAGES)
    assert_array_equal(found, np.round(np.minimum(np.maximum(IMAGES, 0), 1) * 255))
    assert (found.min(), found.max(), found.dtype) == (0, 255, np.uint8)


def test_clean_resizing_is_that_of_pillow_on_each_float_channel() -> None:
    pictures = INCEPTION_PROTOCOLS["fid-10000"].pictures(IMAGES)
    found = clean_resized(pictures)
    for picture, image in zip(pictures, found, strict=True):
        channel = Image.fromarray(picture.astype(np.float32))
        assert channel.mode == "F"
        channel = channel.resize((299, 299), Image.Resampling.BICUBIC)
        assert_array_equal(image, np.asarray(channel).clip(0, 255))
    assert_allclose(found, resized(pictures, 299, "bicubic").clip(0, 255), atol=1e-3)
    assert (found % 1 > 0).mean() > 0.5, "not rounded again"
    assert (found.min(), found.max()) == (0, 255), "what overshoots is clipped"
    larger = GENERATOR.integers(0, 256, (1, 400, 400), dtype=np.uint8)
    assert_allclose(clean_resized(larger), resized(larger, 299, "bicubic").clip(0, 255), atol=1e-3)


def test_what_the_network_sees(network: Inception, layers: torch.nn.Module) -> None:
    """The first convolution gets three equal channels of (x - 128) / 128 in either resizing."""
    seen: list[np.ndarray] = []

    def look(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen.append(inputs[0].numpy().copy())

    hook = network._network.Conv2d_1a_3x3.register_forward_pre_hook(look)
    try:
        for name in ("fid-10000", "clean-fid-1000-64"):
            INCEPTION_PROTOCOLS[name].features(network)(IMAGES)
    finally:
        hook.remove()
    pictures = [INCEPTION_PROTOCOLS[n].pictures(IMAGES) for n in ("fid-10000", "clean-fid-1000-64")]
    grey = [as_tensorflow_1(pictures[0], 299), resized(pictures[1], 299, "bicubic").clip(0, 255)]
    for found, expected in zip(seen, grey, strict=True):
        assert found.shape == (3, 3, 299, 299)
        assert_array_equal(found[:, 0], found[:, 1])
        assert_array_equal(found[:, 0], found[:, 2])
        assert_allclose(found[:, 0], (expected - 128) / 128, atol=1e-4)
        assert found.min() >= -1
        assert found.max() <= 127 / 128


def test_features_are_those_of_torch_fidelity(network: Inception, layers: torch.nn.Module) -> None:
    pictures = GENERATOR.integers(0, 256, (2, 299, 299), dtype=np.uint8)
    (expected,) = layers(torch.from_numpy(pictures)[:, None].repeat(1, 3, 1, 1))
    assert_allclose(network.not_resized(pictures.astype(np.float32)), expected, rtol=1e-4)
    assert_allclose(network.resized_inside(pictures), expected, rtol=1e-4)
    assert network.resized_inside(pictures[:0]).shape == (0, 2048)


def test_only_the_first_images_are_compared(network: Inception) -> None:
    """The score is SciPy's distance between the features of the first images of both sets."""
    names = ("fid-3040", "clean-fid-1000-64")
    protocols = [dataclasses.replace(INCEPTION_PROTOCOLS[name], images=20) for name in names]
    counts = [GENERATOR.poisson(9 + k, (24, 1, 16, 16)).astype(np.uint16) for k in range(2)]
    measurer = Measurer(
        SummaryStatistics.for_images(counts[0][:, 0].astype(np.float32)),
        {protocol.name: protocol.features(network) for protocol in protocols},
        limits=dict.fromkeys(names, 20),
    )
    labels = np.arange(24) % 3
    parts = [slice(k, k + 9) for k in (0, 9, 18)]
    measured = [
        measurer.measure([(images[part], labels[part]) for part in parts], Pixels("counts"))
        for images in counts
    ]
    scores = score_generator(
        *measured, classes=("no", "sphere", "vort"), protocols=protocols, splits=1
    )
    assert tuple(scores.protocols) == names
    assert scores.features == {}
    last = counts[0][18:20, 0].astype(np.float32)
    low = last.min(axis=(1, 2), keepdims=True)
    scaled = (last - low) / (last.max(axis=(1, 2), keepdims=True) - low)
    for protocol in protocols:
        features = [part.features[protocol.name].astype(np.float64) for part in measured]
        assert [len(rows) for rows in features] == [20, 20]
        assert_allclose(features[0][18:], protocol.features(network)(scaled), rtol=1e-3, atol=1e-6)
        found = scores.protocols[protocol.name]
        assert found.fid == pytest.approx(frechet_by_square_roots(*features), rel=1e-3)
        assert found.frechet.sizes[0] == 20
        assert found.protocol == protocol


def test_names_and_counts() -> None:
    assert named_protocols(None) == ()
    assert [p.name for p in named_protocols("fid-10000,fid-3040, fid-10000")] == [
        "fid-10000",
        "fid-3040",
    ]
    for wrong in ("fid", "", "fid-3040,"):
        with pytest.raises(BadInput, match="but fid-3040, clean-fid-1000-64, fid-10000"):
            named_protocols(wrong)
    protocols = named_protocols("clean-fid-1000-64,fid-3040")
    check_counts(protocols, real=3040, generated=3040)
    for real, generated in ((3039, 3040), (3040, 3039)):
        with pytest.raises(BadData, match=r"fid-3040 needs 3,040 images on each side.*3,039"):
            check_counts(protocols, real=real, generated=generated)
