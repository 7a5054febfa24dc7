"""The cosine schedule against its formula, the samplers against a network that knows the answer."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from darklens.diffusion import DiscreteDiffusion, SeededNoise, build_generator
from darklens.errors import BadInput, BadModel

TINY: dict[str, Any] = {"name": "reference", "size": 16, "widths": [8, 16]}


def reference(**settings: Any) -> DiscreteDiffusion:
    network = build_generator(TINY | settings)
    assert isinstance(network, DiscreteDiffusion)
    return network.eval()


def test_the_betas_are_the_published_cosine_formula() -> None:
    t = np.arange(1001) / 1000
    kept = np.cos((t + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.minimum(1 - kept[1:] / kept[:-1], 0.999)
    assert reference().betas.numpy() == pytest.approx(betas, abs=1e-6)


@pytest.mark.parametrize("steps", [1, 7, 50, 100])
def test_a_network_that_knows_the_image_samples_it(
    steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = reference(train_steps=100)
    truth = torch.linspace(-1, 1, 256).view(1, 1, 16, 16)
    kept = network.scheduler.alphas_cumprod

    def noise(images: torch.Tensor, times: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        share = kept[times][:, None, None, None]
        return (images - share.sqrt() * truth) / (1 - share).sqrt()

    monkeypatch.setattr(network, "_noise", noise)
    seen = list(
        network.sample(
            SeededNoise(0, [0, 1], network.shape), torch.zeros(2).long(), steps=steps, guidance=1.0
        )
    )
    assert len(seen) == steps
    assert torch.allclose(seen[-1], truth.expand(2, -1, -1, -1), atol=2e-3)


def test_the_ancestral_sampler_adds_the_noise_of_each_image() -> None:
    network = reference(train_steps=10, steps=5)

    def sample(indices: list[int]) -> torch.Tensor:
        noise = SeededNoise(3, indices, network.shape)
        with torch.inference_mode():
            labels = torch.zeros(len(indices)).long()
            return list(network.sample(noise, labels, steps=10, guidance=1.0))[-1]

    together = sample([0, 1, 2])
    assert torch.allclose(sample([2]), together[2:], atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=0.1)
    assert together.abs().max() <= 1


def test_wrong_numbers_of_steps_are_refused() -> None:
    network = reference(train_steps=10, steps=5)
    for steps in (0, 11):
        with pytest.raises(BadInput, match="1 to 10 steps"):
            network.check_steps(steps)


def test_a_plain_unet_is_saved_as_diffusers_pipeline(tmp_path: Path) -> None:
    from diffusers import DDPMPipeline

    network = build_generator(
        {"name": "diffusers", "size": 16, "widths": [8, 16], "norm_groups": 4, "head_width": 8}
    )
    assert isinstance(network, DiscreteDiffusion)
    network.save_diffusers(tmp_path / "saved")
    pipeline = DDPMPipeline.from_pretrained(tmp_path / "saved")
    images, times = torch.randn(2, 1, 16, 16), torch.tensor([3, 900])
    with torch.inference_mode():
        expected = network._noise(images, times, torch.zeros(2).long())
        assert torch.allclose(pipeline.unet(images, times).sample, expected, atol=1e-6)
    assert torch.equal(pipeline.scheduler.betas, network.betas)
    with pytest.raises(BadModel, match="not a network of diffusers"):
        reference().save_diffusers(tmp_path / "own")
