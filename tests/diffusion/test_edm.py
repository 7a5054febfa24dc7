"""The preconditioning against its defining properties, and guidance."""

from typing import Any

import pytest
import torch

from darklens.diffusion import ComponentDiffusion, SeededNoise, build_generator
from darklens.diffusion.base import guided

TINY: dict[str, Any] = {
    "name": "components",
    "size": 16,
    "grid": 6,
    "components": 8,
    "width": 16,
    "blocks": 1,
    "embedding": 8,
}


def components(**settings: Any) -> ComponentDiffusion:
    network = build_generator(TINY | settings)
    assert isinstance(network, ComponentDiffusion)
    return network.eval()


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_input_and_target_have_unit_variance_at_every_noise_level(scale: float) -> None:
    torch.manual_seed(0)
    network = components()
    network.space.spread.fill_(scale)
    for level in (0.01, 1.0, 100.0):
        sigma = torch.full((1,), level)
        codes, noise = scale * torch.randn(1, 160_000), torch.randn(1, 160_000)
        skip, out, into = network._scales(sigma)
        noisy = codes + level * noise
        assert float((into * noisy).var()) == pytest.approx(1, abs=0.02)
        assert float(((codes - skip * noisy) / out).var()) == pytest.approx(1, abs=0.02)


def test_a_fresh_network_is_the_best_denoiser_of_white_gaussian_data() -> None:
    network = components()
    codes, sigma = torch.randn(2, 8), torch.tensor([0.5, 3.0])
    expected = codes / (1 + sigma**2)[:, None]
    assert torch.allclose(network.denoise(codes, sigma, torch.zeros(2).long()), expected)


def test_samples_are_the_codes_images() -> None:
    torch.manual_seed(0)
    network = components(steps=2)
    images = torch.randn(40, 1, 16, 16)
    network.space.fit(network.space.frequencies(images))
    noise = SeededNoise(1, [4, 5], network.noise_shape)
    with torch.inference_mode():
        *_, last = network.sample(noise, torch.tensor([0, 1]), steps=2, guidance=1.0)
    assert last.shape == (2, 1, 16, 16)
    codes = network.space.encode(network.space.frequencies(last))
    assert torch.allclose(network.space.decode(codes), last, atol=1e-4)


@pytest.mark.parametrize(("sampler", "steps"), [("multistep", 6), ("heun", 8)])
def test_samplers_yield_each_step(sampler: str, steps: int) -> None:
    torch.manual_seed(0)
    network = components(sampler=sampler, largest_noise=50.0)
    network.space.fit(network.space.frequencies(torch.randn(40, 1, 16, 16)))
    noise = SeededNoise(1, [4, 5], network.noise_shape)
    with torch.inference_mode():
        seen = list(network.sample(noise, torch.tensor([0, -1]), steps=steps, guidance=1.0))
    assert len(seen) == steps
    assert 0.1 < float(seen[-1].std()) < 3


def test_guidance_is_its_formula_and_spares_evaluations() -> None:
    calls: list[int] = []

    def predict(images: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        calls.append(len(images))
        return images * 0 + rows[:, None, None, None]

    images, rows = torch.zeros(2, 1, 4, 4), torch.tensor([1, 0])
    results = {g: guided(predict, images, rows, guidance=g, no_class=3) for g in (0.0, 1.0, 2.0)}
    assert calls == [2, 2, 4]
    assert results[0.0][:, 0, 0, 0].tolist() == [3, 3]
    assert results[1.0][:, 0, 0, 0].tolist() == [1, 0]
    assert results[2.0][:, 0, 0, 0].tolist() == [-1, -3]


def test_labels_become_rows_and_some_are_forgotten() -> None:
    torch.manual_seed(0)
    network = components()
    labels = torch.tensor([0, 2, -1])
    assert network.known_labels(labels).tolist() == [0, 2, 3]
    many = network.known_labels(torch.zeros(4000).long(), dropped=0.25)
    assert float((many == 3).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert components(conditional=False).known_labels(labels).tolist() == [0, 0, 0]
