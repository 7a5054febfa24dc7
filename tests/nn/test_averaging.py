"""The moving average of weights."""

import torch
from torch import nn

from darklens.nn import MovingAverage


def test_it_follows_the_formula() -> None:
    network = nn.Linear(1, 1, bias=False)
    average = MovingAverage(network, decay=0.5)
    expected = network.weight.item()
    for step in range(1, 20):
        with torch.no_grad():
            network.weight.fill_(float(step))
        average.update(network)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    torch.testing.assert_close(average.network.weight.item(), expected)
    assert int(average.updates) == 19
    assert not average.network.weight.requires_grad


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    network = nn.BatchNorm1d(2)
    average = MovingAverage(network, decay=0.9)
    network(torch.randn(8, 2) + 5)
    average.update(network)
    assert int(average.network.num_batches_tracked) == 1
    mean, current = average.network.running_mean, network.running_mean
    assert (mean.abs() < current.abs()).all()
    assert (mean.abs() > 0).all()
