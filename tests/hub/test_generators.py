"""Generators as model folders: cards, the way back to images, photon noise, hostile cards."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from darklens.errors import BadModel
from darklens.hub import load_card, load_classifier, load_generator
from darklens.hub.export import readme
from darklens.hub.output import build_noise, build_restore, compressed
from darklens.metrics import ring_radius, total_flux


@pytest.fixture
def model(tiny_generator: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    folder = tmp_path / "model"
    folder.mkdir()
    for path in tiny_generator.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def test_a_generator_is_loaded_and_generates_counts(tiny_generator: Path) -> None:
    made = load_generator(tiny_generator).generate(3, steps=2, seed=1)
    assert made.images.dtype == np.uint16
    again = load_generator(str(tiny_generator)).generate(3, steps=2, seed=1)
    assert np.array_equal(made.images, again.images)


def test_the_way_back_undoes_the_preprocessing(tiny_generator: Path) -> None:
    card = load_card(tiny_generator)
    restore = build_restore(card)
    counts = np.array([0.0, 4.0, 400.0], dtype=np.float32).reshape(1, 1, 1, 3)
    affine = card.preprocessing[1]["affine"]
    network = np.sqrt(counts) * np.float32(affine["scale"]) + np.float32(affine["shift"])
    np.testing.assert_allclose(restore(network), counts, rtol=1e-4, atol=1e-3)
    assert card.output is not None
    limited = replace(card, output=replace(card.output, unit=400.0, minimum=0.5, noise="none"))
    assert build_restore(limited)(network).ravel().tolist() == pytest.approx([0.5, 0.5, 1.0])
    assert build_noise(limited) is None


def test_photon_noise_is_poisson_and_belongs_to_the_image(tiny_generator: Path) -> None:
    observe = build_noise(load_card(tiny_generator))
    assert observe is not None
    means = np.repeat(np.array([3.0, 40.0, 900.0], dtype=np.float32), 4000).reshape(1, 1, 3, 4000)
    counts = observe(np.repeat(means, 2, axis=0), 7, [0, 1])
    for mean, row in zip((3.0, 40.0, 900.0), counts[0, 0].astype(float), strict=True):
        assert row.mean() == pytest.approx(mean, abs=5 * np.sqrt(mean / 4000))
        assert row.var() == pytest.approx(mean, rel=0.12)
    assert not np.array_equal(counts[0], counts[1])
    assert np.array_equal(observe(means, 7, [1])[0], counts[1])
    assert (observe(means * np.float32(1 + 1e-6), 7, [1])[0] != counts[1]).mean() < 1e-2


def test_pictures_are_compressed_as_files_are(model: Path) -> None:
    path = model / "card.yaml"
    card = yaml.safe_load(path.read_text())
    card["output"] = {"values": "grey", "unit": 255.0, "minimum": 0.0, "maximum": 1.0}
    card["output"] |= {"noise": "jpeg", "grain": 2.0, "dark": 1.0, "quality": 75}
    card["preprocessing"] = [{"affine": {"scale": 0.01, "shift": 0.0}}]
    path.write_text(yaml.safe_dump(card))
    generator = load_generator(model)
    made = generator.generate(3, steps=2, seed=1)
    assert made.images.dtype == generator.dtype() == np.float32
    grey = made.images * 255
    np.testing.assert_allclose(grey, np.rint(grey), atol=1e-4)
    smooth = generator.generate(3, steps=2, seed=1, expected=True).images
    assert 0 < np.abs(smooth - made.images).mean() < 0.05
    assert np.array_equal(generator.generate(3, steps=2, seed=1, batch=1).images, made.images)


def test_compression_keeps_flat_pictures_and_grain_has_its_strength() -> None:
    flat = np.full((2, 1, 64, 64), 100 / 255, dtype=np.float32)
    assert np.array_equal(compressed(flat, 0, [0, 1], grain=0.0, dark=0.0, quality=75), flat)
    grainy = compressed(flat, 0, [0, 1], grain=8.0, dark=0.0, quality=100) * 255
    assert grainy.std() == pytest.approx(8.0, rel=0.05)
    assert not np.array_equal(grainy[0], grainy[1])
    again = compressed(flat[:1], 0, [1], grain=8.0, dark=0.0, quality=100) * 255
    assert np.array_equal(again[0], grainy[1])
    dark = compressed(flat, 0, [0, 1], grain=8.0, dark=100.5, quality=75)
    assert np.array_equal(dark, flat)


def test_kinds_are_not_confused(tiny_generator: Path, tiny_model: Path) -> None:
    with pytest.raises(BadModel, match="is a generator, not a classifier"):
        load_classifier(tiny_generator)
    with pytest.raises(BadModel, match="is a classifier, not a generator"):
        load_generator(tiny_model)
    with pytest.raises(BadModel, match="makes no images"):
        build_restore(load_card(tiny_model))


def test_its_readme_says_how_to_generate(tiny_generator: Path) -> None:
    text = readme(load_card(tiny_generator))
    assert "unconditional-image-generation" in text
    assert 'load_generator("OWNER/NAME")' in text


@pytest.mark.parametrize(
    "changes",
    [
        {"output": None},
        {"output": {"values": "counts", "noise": "os.system"}},
        {"output": {"values": "counts", "unit": 0.0}},
        {"output": {"values": "counts", "minimum": 1.0, "maximum": 0.0}},
        {"output": {"values": "counts", "scaled_files": "yes"}},
        {"output": {"values": "counts", "trojan": 1}},
        {"output": {"values": "grey", "noise": "jpeg", "quality": 0}},
        {"output": {"values": "grey", "noise": "jpeg", "grain": -1.0}},
        {"kind": "classifier"},
        {"classes": []},
        {"preprocessing": [{"min_max": {}}]},
        {"preprocessing": [{"affine": {"scale": 0.0, "shift": 1.0}}]},
        {"preprocessing": [{"os.system": {}}]},
        {"network": {"name": "darklens.evil"}},
        {"network": {"name": "components", "width": 0}},
        {"network": {"name": "components", "sampler": "os.system"}},
    ],
)
def test_wrong_cards_are_refused_in_one_line(model: Path, changes: dict[str, Any]) -> None:
    path = model / "card.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    with pytest.raises(BadModel) as caught:
        load_generator(model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["common-test-1", "lenses-2021"])
def test_shipped_generators_make_rings_of_the_right_size_and_light(name: str) -> None:
    model = load_generator(name)
    made = model.generate(2 * len(model.classes), seed=3, expected=True).images[:, 0]
    sky, low, high = (10, 4e5, 2e6) if name == "common-test-1" else (0, 200, 1500)
    radii = ring_radius(made - sky, smallest=8.0)  # behind the light of the lens
    assert np.all((radii > 7) & (radii < 45)), radii
    light = total_flux(made - sky)
    assert np.all((light > low) & (light < high)), light
