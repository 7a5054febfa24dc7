"""Descriptions become images behind the network, and cards cannot misuse that."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from darklens.diffusion import DescriptionSpace, build_generator, generator_spec
from darklens.errors import BadModel
from darklens.hub import (
    InputCard,
    ModelCard,
    OutputCard,
    TrainingCard,
    load_card,
    load_generator,
    save_model,
)
from darklens.hub.described_images import DescribedImages, lens_describer
from darklens.hub.output import build_restore
from darklens.simulation import Simulator
from darklens.simulation.presets import preset_text

SPEC: dict[str, Any] = {
    "name": "lens_and_masses",
    "masses": 4,
    "width": 16,
    "blocks": 1,
    "embedding": 8,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained network in the space of a few simulations."""
    torch.manual_seed(0)
    network = build_generator(SPEC)
    spec = generator_spec(network)
    describer = lens_describer(spec)
    simulator = Simulator("common-test-1")
    scenes = [simulator.scene(index)[0] for index in range(30)]
    space = network.space
    assert isinstance(space, DescriptionSpace)
    numbers = np.array([describer.describe(scene) for scene in scenes], dtype=np.float32)
    space.fit(torch.from_numpy(numbers), torch.arange(30) % 3)
    card = ModelCard(
        name="described",
        kind="generator",
        description="An untrained generator for tests.",
        classes=("no", "sphere", "vort"),
        input=InputCard(channels=1, height=150, width=150, pixel_scale=0.05, values="counts"),
        preprocessing=(),
        network=spec,
        output=OutputCard("photon counts", minimum=0.0, noise="poisson", scaled_files=True),
        training=TrainingCard(
            command="none", images=0, seconds=0.0, machine="any", date="2026-01-01", version="0"
        ),
        licence="MIT",
    )
    path = tmp_path_factory.mktemp("models") / "described"
    save_model(path, network, card)
    return path


def test_a_description_becomes_the_simulators_image(folder: Path) -> None:
    restore = build_restore(load_card(folder))
    lens = Simulator("common-test-1").expectation().lens(0, seed=3)
    numbers = lens_describer(load_card(folder).network).describe(lens.scene)
    images = restore(np.repeat(numbers[None, None, None].astype(np.float32), 2, axis=0))
    assert images.shape == (2, 1, 150, 150)
    np.testing.assert_allclose(images[1, 0], lens.image[0], rtol=1e-3)


def test_images_are_the_same_in_any_batch(folder: Path) -> None:
    model = load_generator(folder)
    whole = model.generate(5, seed=2)
    assert whole.images.dtype == np.uint16
    again = model.generate(5, seed=2, batch=2)
    np.testing.assert_array_equal(again.images, whole.images)
    expected = model.generate(5, seed=2, expected=True).images
    excess = (whole.images - expected) / np.sqrt(expected)
    assert excess.std() == pytest.approx(1, abs=0.01)
    assert model.film(frames=3).shape == (3, 1, 150, 150)


def test_a_card_may_hold_the_content_of_its_preset(folder: Path) -> None:
    content = yaml.safe_load(preset_text("common-test-1"))
    spec = load_card(folder).network
    numbers = np.zeros((1, 1, 1, 7 + 6 + 12), dtype=np.float32)
    numbers[..., 0] = 1.0
    ours, theirs = (
        DescribedImages(spec | {"preset": item})(numbers) for item in (content, "common-test-1")
    )
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "/etc/passwd.yaml"}, "whole content of one"),
        ({"preset": ["common-test-1"]}, "whole content of one"),
        ({"preset": {"name": "x"}}, "network: "),
        ({"preset": "model-3"}, "noise of photons"),
        ({"coordinates": 9}, "coordinates must be 7"),
        ({"size": 64}, "150 x 150"),
    ],
)
def test_wrong_cards_are_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    card = load_card(folder)
    with pytest.raises(BadModel, match=message) as caught:
        build_restore(replace(card, network=card.network | changes))
    assert "\n" not in str(caught.value)


def test_a_card_with_preprocessing_is_refused(folder: Path) -> None:
    card = replace(load_card(folder), preprocessing=({"sqrt": {"scale": 1.0}},))
    with pytest.raises(BadModel, match="has none"):
        build_restore(card)
