"""The end of a run and the learning rates on the way to it."""

from itertools import pairwise

import pytest
import torch

from darklens.errors import BadConfig
from darklens.nn import Budget, cosine_restarts, one_cycle


def test_the_first_limit_ends_the_run() -> None:
    budget = Budget(images=100, epochs=4, minutes=1.0)
    assert budget.progress(images=10, epochs=3.0, seconds=30.0) == 0.75
    assert budget.progress(images=500, epochs=0.0, seconds=0.0) == 1.0
    assert Budget(minutes=2.0).progress(images=10**9, epochs=99.0, seconds=60.0) == 0.5


@pytest.mark.parametrize("limits", [{"images": 0}, {"epochs": -1}, {"minutes": 0.0}])
def test_limits_must_be_positive(limits: dict[str, int]) -> None:
    with pytest.raises(BadConfig, match="must be positive"):
        Budget(**limits)


def test_one_cycle_rises_falls_and_never_jumps() -> None:
    rates = [one_cycle(step / 1000, warmup=0.3) for step in range(1001)]
    assert max(rates) == pytest.approx(1.0)
    assert rates.index(max(rates)) == 300
    assert rates[-1] == pytest.approx(0.0, abs=1e-12)
    assert max(abs(a - b) for a, b in pairwise(rates)) < 0.01
    assert one_cycle(0.0, warmup=0.0) == 1.0


def test_cosine_restarts_are_those_of_torch() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(
        optimiser, T_0=15, eta_min=1e-6
    )
    for epoch in range(40):
        expected = 1e-6 + (3e-4 - 1e-6) * cosine_restarts(epoch, period=15)
        assert optimiser.param_groups[0]["lr"] == pytest.approx(expected)
        optimiser.step()
        scheduler.step()
