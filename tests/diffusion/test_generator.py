"""Generation: the same images for the same seed, classes, noise, memory, what is refused."""

from typing import Any

import numpy as np
import pytest
import torch

from darklens.diffusion import Generator, SamplingOptions, build_generator
from darklens.errors import BadInput
from darklens.hub import load_generator

CLASSES = ("no", "sphere", "vort")


def generator(spec: dict[str, Any], **settings: Any) -> Generator:
    torch.manual_seed(0)
    network = build_generator(spec)
    for item in network.parameters():  # so that class and noise level make a difference
        torch.nn.init.normal_(item, std=0.05 if network.space is None else 0.3)
    if network.space is not None:
        network.space.fit(network.space.frequencies(torch.randn(40, *network.shape)))
    return Generator(network, CLASSES, lambda images: 2 * images, **settings)


def test_the_same_seed_gives_the_same_images_whatever_the_batch(spec: dict[str, Any]) -> None:
    model = generator(spec)
    whole = model.generate(5, seed=7)
    assert whole.images.shape == (5, 1, 16, 16)
    for batch in (1, 2):
        again = model.generate(5, seed=7, batch=batch)
        np.testing.assert_array_equal(again.images, whole.images)
    (part,) = model.batches(5, SamplingOptions(seed=7), start=3)
    np.testing.assert_array_equal(part.images, whole.images[3:])
    assert part.start == 3
    many = model.generate(21, seed=7)
    np.testing.assert_array_equal(many.images[:5], whole.images)
    (last,) = model.batches(21, SamplingOptions(seed=7, batch=3), start=20)
    np.testing.assert_array_equal(last.images, many.images[20:])
    assert abs(model.generate(5, seed=8).images - whole.images).max() > 0.1


def test_classes_come_in_turn_or_as_told(spec: dict[str, Any]) -> None:
    model = generator(spec | {"conditional": True})
    assert model.generate(5).labels.tolist() == [0, 1, 2, 0, 1]
    assert model.generate(2, labels="axion").labels.tolist() == [2, 2]
    chosen = model.generate(2, labels=[1, -1], guidance=2.0)
    assert chosen.labels.tolist() == [1, -1]
    plain = model.generate(2, labels=[1, -1])
    assert abs(chosen.images[0] - plain.images[0]).max() > 1e-4
    np.testing.assert_allclose(chosen.images[1], plain.images[1], atol=1e-4)
    alone = list(model.batches(2, SamplingOptions(guidance=2.0, batch=1), labels=[1, -1]))
    np.testing.assert_array_equal(np.concatenate([part.images for part in alone]), chosen.images)


def test_an_unconditional_model_knows_no_classes(spec: dict[str, Any]) -> None:
    model = generator(spec | {"conditional": False})
    assert model.generate(2).labels.tolist() == [-1, -1]
    with pytest.raises(BadInput, match="has no classes"):
        model.generate(2, labels="no")
    with pytest.raises(BadInput, match="guidance"):
        model.generate(2, guidance=2.0)


def test_noise_is_added_to_restored_images_unless_left_out(spec: dict[str, Any]) -> None:
    seen = []

    def observe(images: np.ndarray, seed: int, indices: Any) -> np.ndarray:
        seen.append((seed, list(indices)))
        return np.full(images.shape, 9, dtype=np.uint16)

    model = generator(spec, observe=observe)
    assert model.generate(3, seed=4, batch=2).images.dtype == model.dtype() == np.uint16
    assert seen == [(4, [0, 1]), (4, [2])]
    assert model.generate(3, seed=4, expected=True).images.dtype == np.float32
    assert model.dtype(expected=True) == np.float32


def test_the_film_ends_with_the_image(spec: dict[str, Any]) -> None:
    model = generator(spec)
    film = model.film(SamplingOptions(seed=2), frames=2)
    assert film.shape == (2, 1, 16, 16)
    np.testing.assert_array_equal(film[-1], model.generate(1, seed=2).images[0])


@pytest.mark.parametrize("expected", [True, False])
def test_the_shipped_generator_makes_the_same_bytes_in_any_batch(expected: bool) -> None:
    model = load_generator("common-test-1")
    whole = model.generate(9, seed=3, expected=expected).images
    for batch in (1, 4):
        again = model.generate(9, seed=3, batch=batch, expected=expected).images
        np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count"),
        ({"count": 1, "batch": 0}, "batch must"),
        ({"count": 1, "seed": -1}, "seed"),
        ({"count": 1, "steps": 0}, "steps"),
        ({"count": 1, "labels": "ring"}, "no class 'ring'"),
        ({"count": 2, "labels": [0, 3]}, "-1 to 2"),
        ({"count": 2, "labels": [0]}, "labels must be 2"),
        ({"count": 1, "guidance": float("nan")}, "guidance"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    model = generator({"name": "components", "size": 16, "grid": 6, "components": 4, "width": 16})
    with pytest.raises(BadInput, match=message):
        model.generate(**arguments)
