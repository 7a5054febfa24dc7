"""The preconditioning against its defining properties, and guidance."""

from typing import Any

import pytest
import torch

from darklens.diffusion import PatchDiffusion, SeededNoise, build_generator
from darklens.diffusion.base import guided

TINY: dict[str, Any] = {"name": "patches", "size": 16, "patch": 2, "widths": [16], "blocks": 1}


def patches(**settings: Any) -> PatchDiffusion:
    network = build_generator(TINY | settings)
    assert isinstance(network, PatchDiffusion)
    return network.eval()


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_input_and_target_have_unit_variance_at_every_noise_level(scale: float) -> None:
    torch.manual_seed(0)
    network = patches(data_scale=scale)
    for level in (0.01, 1.0, 100.0):
        sigma = torch.full((1,), level)
        images, noise = scale * torch.randn(1, 1, 400, 400), torch.randn(1, 1, 400, 400)
        skip, out, into = network._scales(sigma)
        noisy = images + level * noise
        assert float((into * noisy).var()) == pytest.approx(1, abs=0.02)
        assert float(((images - skip * noisy) / out).var()) == pytest.approx(1, abs=0.02)


def test_a_fresh_network_is_the_best_denoiser_of_white_gaussian_data() -> None:
    network = patches()
    images, sigma = torch.randn(2, 1, 16, 16), torch.tensor([0.5, 3.0])
    expected = images / (1 + sigma**2)[:, None, None, None]
    assert torch.allclose(network.denoise(images, sigma, torch.zeros(2).long()), expected)


@pytest.mark.parametrize(("sampler", "steps"), [("multistep", 6), ("heun", 8)])
def test_samplers_yield_each_step(sampler: str, steps: int) -> None:
    network = patches(sampler=sampler, largest_noise=50.0)
    noise = SeededNoise(1, [4, 5], network.shape)
    with torch.inference_mode():
        seen = list(network.sample(noise, torch.tensor([0, -1]), steps=steps, guidance=1.0))
    assert len(seen) == steps
    assert 0.3 < float(seen[-1].std()) < 3


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
    network = patches()
    labels = torch.tensor([0, 2, -1])
    assert network.known_labels(labels).tolist() == [0, 2, 3]
    many = network.known_labels(torch.zeros(4000).long(), dropped=0.25)
    assert float((many == 3).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert patches(conditional=False).known_labels(labels).tolist() == [0, 0, 0]
