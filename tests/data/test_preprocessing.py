"""Declared steps do what they say, on one image as on many, and wrong declarations are one line."""

from typing import Any

import numpy as np
import pytest

from darklens.data import Preprocessing, build_preprocessing
from darklens.data.steps import Images, Step
from darklens.errors import BadData, BadModel

COUNTS = np.random.default_rng(0).integers(0, 900, (5, 2, 12, 12)).astype(np.uint16)
EVERY_STEP: list[dict[str, Any]] = [
    {"center_crop": {"size": 9}},
    {"resize": {"size": 6}},
    {"min_max": {}},
    {"sqrt": {"scale": 800.0}},
    {"affine": {"scale": 0.1, "shift": -1}},
    {"asinh": {"scale": 2}},
    {"standardise": None},
    {"log": {"offset": 1.0}},
]


def test_one_image_and_a_batch_agree() -> None:
    preprocessing = build_preprocessing(EVERY_STEP)
    batch = preprocessing.batch(COUNTS)
    assert (batch.shape, batch.dtype) == ((5, 2, 6, 6), np.float32)
    for image, expected in zip(COUNTS, batch, strict=True):
        np.testing.assert_array_equal(preprocessing(image), expected)


def test_the_declaration_survives() -> None:
    preprocessing = build_preprocessing(EVERY_STEP)
    again = build_preprocessing(preprocessing.spec)
    assert again.spec == preprocessing.spec
    assert preprocessing.spec[0] == {"center_crop": {"size": 9}}
    preprocessing.spec[0]["center_crop"]["size"] = 3
    np.testing.assert_array_equal(preprocessing.batch(COUNTS), again.batch(COUNTS))


def one(name: str, **parameters: Any) -> Preprocessing:
    return build_preprocessing([{name: parameters}])


@pytest.mark.parametrize(("size", "first"), [(12, 0), (11, 0), (10, 1), (3, 4), (1, 5)])
def test_crops_are_central(size: int, first: int) -> None:
    cropped = one("center_crop", size=size).batch(COUNTS)
    chosen = slice(first, first + size)
    np.testing.assert_array_equal(cropped, COUNTS[:, :, chosen, chosen])


def test_too_small_or_oblong_images_are_refused() -> None:
    with pytest.raises(BadData, match="12 x 12 pixels are too small for the crop to 13 x 13"):
        one("center_crop", size=13).batch(COUNTS)
    with pytest.raises(BadData, match="not square"):
        one("resize", size=4).batch(COUNTS[:, :, :8])


def test_resize_keeps_flux_per_pixel_and_halves_by_averaging() -> None:
    flat = np.full((1, 1, 12, 12), 7.0)
    np.testing.assert_allclose(one("resize", size=5).batch(flat), 7.0, rtol=1e-6)
    ramp = np.broadcast_to(np.arange(12.0), (1, 1, 12, 12))
    halved = one("resize", size=6).batch(ramp)[0, 0, 0]
    np.testing.assert_allclose(halved[1:-1], np.arange(2.5, 10, 2), rtol=1e-6)


def test_scalings() -> None:
    scaled = one("min_max").batch(COUNTS)
    assert scaled.min(axis=(1, 2, 3)).tolist() == [0] * 5
    assert scaled.max(axis=(1, 2, 3)).tolist() == [1] * 5
    standard = one("standardise").batch(COUNTS)
    np.testing.assert_allclose(standard.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(standard.std(axis=(1, 2, 3)), 1, rtol=1e-5)
    constant = np.full((1, 1, 4, 4), 3.0)
    for name in ("min_max", "standardise"):
        np.testing.assert_array_equal(one(name).batch(constant), 0)


def test_stretches() -> None:
    x = np.array([-1.0, 0.0, 0.5, 2.0]).reshape(1, 1, 2, 2)
    expected = {
        ("sqrt", "scale"): np.sqrt(np.maximum(3 * x, 0)),
        ("asinh", "scale"): np.arcsinh(3 * x),
        ("log", "offset"): np.log(3 + np.maximum(x, 0)),
    }
    for (name, parameter), values in expected.items():
        np.testing.assert_allclose(one(name, **{parameter: 3}).batch(x), values, rtol=1e-6)
    np.testing.assert_allclose(one("affine", scale=3, shift=2).batch(x), 3 * x + 2, rtol=1e-6)


def test_a_step_of_another_package_may_add_channels() -> None:
    def with_gradient(axis: int) -> Step:
        def add(images: Images) -> Images:
            return np.concatenate([images, np.gradient(images, axis=axis)], axis=1)

        return add

    spec = [{"min_max": {}}, {"gradient": {"axis": 3}}]
    preprocessing = build_preprocessing(spec, {"gradient": with_gradient})
    assert preprocessing(COUNTS[0]).shape == (4, 12, 12)
    assert preprocessing.spec == spec


def test_the_given_images_are_left_as_they_are() -> None:
    images = COUNTS.astype(np.float32)
    build_preprocessing(EVERY_STEP).batch(images)
    np.testing.assert_array_equal(images, COUNTS)
    unchanged = build_preprocessing([]).batch(images)
    unchanged[:] = 0
    np.testing.assert_array_equal(images, COUNTS)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"min_max": {}}, "must be a list"),
        ("min_max", "must be a list"),
        (["min_max"], "must be one"),
        ([{"min_max": {}, "sqrt": {"scale": 1}}], "must be one"),
        ([{"os.system": {}}], "unknown preprocessing step 'os.system'; choose from affine"),
        ([{"min_max": [1]}], "parameters must be"),
        ([{"center_crop": {}}], "step center_crop: size is missing"),
        (
            [{"center_crop": {"size": 4, "fill": 0}}],
            "step center_crop: unknown key 'fill'; known keys: size",
        ),
        ([{"center_crop": {"size": 4.5}}], "size must be a whole number, not 4.5"),
        ([{"center_crop": {"size": 0}}], "center_crop: size must be at least 1, not 0"),
        ([{"sqrt": {"scale": "1"}}], "scale must be a number"),
        ([{"sqrt": {"scale": True}}], "scale must be a number"),
        ([{"log": {"offset": 0}}], "offset must be above 0, not 0"),
        ([{"resize": {"size": 1_000_000}}], "size must be at most 4096"),
        ([{"center_crop": {"size": 10**400}}], "size must be at most 4096"),
        ([{"affine": {"scale": 10**400, "shift": 0}}], "scale is out of range"),
        ([{"affine": {"scale": 1.0, "shift": float("nan")}}], "shift must be a finite number"),
        ([{"asinh": {"scale": float("inf")}}], "scale must be a finite number"),
    ],
)
def test_wrong_declarations(spec: Any, expected: str) -> None:
    with pytest.raises(BadModel) as caught:
        build_preprocessing(spec)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
