"""The linear space of smooth images and the residual against it."""

from typing import Any

import pytest
import torch

from darklens.nn import SmoothSubspace


def smooth(count: int, *, seed: int) -> torch.Tensor:
    """Positive images of 12 x 12 pixels in a space of three dimensions."""
    patterns = torch.rand(3, 144, generator=torch.Generator().manual_seed(0)) * 100
    weights = torch.rand(count, 3, generator=torch.Generator().manual_seed(seed))
    return (weights @ patterns).view(count, 1, 12, 12)


def test_the_basis_is_orthonormal_and_spans_the_images() -> None:
    subspace = SmoothSubspace(144, 3, gain=1.0)
    subspace.fit(smooth(60, seed=1))
    torch.testing.assert_close(subspace.basis @ subspace.basis.T, torch.eye(3), atol=1e-4, rtol=0)
    flat = smooth(5, seed=2).flatten(1)
    projected = flat @ subspace.basis.T @ subspace.basis
    torch.testing.assert_close(projected, flat, rtol=1e-3, atol=1e-2)


def test_the_residual_of_noise_is_of_order_one_and_shows_a_bump() -> None:
    subspace = SmoothSubspace(144, 3, gain=1.0)
    subspace.fit(smooth(60, seed=1))
    clean = smooth(200, seed=3)
    noisy = torch.poisson(clean, generator=torch.Generator().manual_seed(4))
    spread = subspace(noisy).std().item()
    assert 0.6 < spread < 1.1
    noisy[:, 0, 5, 5] += 100
    assert subspace(noisy)[:, 0, 5, 5].mean() > 4


def test_the_faintest_pixels_are_those_of_kthvalue(monkeypatch: pytest.MonkeyPatch) -> None:
    subspace = SmoothSubspace(144, 3, gain=1.0)
    subspace.fit(smooth(60, seed=1))
    images = torch.poisson(smooth(20, seed=3), generator=torch.Generator().manual_seed(4))
    made = subspace(images)

    def topk(values: torch.Tensor, count: int, **_: object) -> Any:
        kth = values.kthvalue(count, dim=1, keepdim=True).values
        return torch.return_types.topk((kth, kth.long()))

    monkeypatch.setattr(torch.Tensor, "topk", topk)
    assert torch.equal(subspace(images), made)


def test_it_is_found_the_same_each_time_and_leaves_the_random_state_alone() -> None:
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    bases = []
    for _ in range(2):
        subspace = SmoothSubspace(144, 3, gain=1.0)
        subspace.fit(smooth(60, seed=1))
        bases.append(subspace.basis.clone())
    assert torch.equal(*bases)
    assert torch.equal(torch.random.get_rng_state(), state)
