"""Codes of descriptions: normal numbers in every class, back and forth, what is refused."""

import pytest
import torch

from darklens.diffusion import DescriptionSpace
from darklens.errors import BadConfig

CLASSES = 3


def descriptions(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two numbers of very different shape, one that only classes 1 and 2 have, and a constant."""
    torch.manual_seed(0)
    labels = torch.arange(count) % CLASSES
    columns = [
        torch.rand(count) ** 4 * (1 + labels),
        100 + torch.randn(count).exp(),
        torch.rand(count) * (labels > 0),
        torch.full((count,), 7.5),
    ]
    return torch.stack(columns, dim=1), labels


@pytest.fixture
def space() -> DescriptionSpace:
    made = DescriptionSpace(4, CLASSES)
    made.fit(*descriptions(6000))
    return made


def test_every_number_becomes_normal_in_every_class(space: DescriptionSpace) -> None:
    values, labels = descriptions(6000)
    codes = space.encode(values, labels)
    normal = torch.distributions.Normal(0.0, 1.0)
    for label in range(CLASSES):
        for column in codes[labels == label][:, :2].T:
            found = normal.cdf(column).sort().values
            steps = (torch.arange(len(found)) + 0.5) / len(found)
            assert float((found - steps).abs().max()) < 5e-3


def test_descriptions_come_back(space: DescriptionSpace) -> None:
    values, labels = descriptions(6000)
    back = space.decode(space.encode(values, labels), labels)
    assert torch.allclose(back, values, rtol=1e-4, atol=1e-4)


def test_what_never_varies_in_a_class_is_exact_whatever_the_code(space: DescriptionSpace) -> None:
    values, labels = descriptions(60)
    codes = space.encode(values, labels)
    none = labels == 0
    assert not codes[none][:, 2].any()
    assert not codes[:, 3].any()
    made = space.decode(torch.randn(60, 4), labels)
    assert not made[none][:, 2].any()
    assert torch.equal(made[:, 3], values[:, 3])
    assert float(made[~none][:, 2].min()) > 0


def test_numbers_stay_within_those_of_the_training_set(space: DescriptionSpace) -> None:
    values, labels = descriptions(6000)
    for label in range(CLASSES):
        own = values[labels == label]
        rows = torch.full((2,), label)
        far = space.decode(torch.tensor([[50.0], [-50.0]]).expand(2, 4), rows)
        assert torch.allclose(far[0], own.max(0).values)
        assert torch.allclose(far[1], own.min(0).values)


def test_a_class_without_examples_is_refused() -> None:
    values, labels = descriptions(60)
    with pytest.raises(BadConfig, match="two lenses of every class"):
        DescriptionSpace(4, 4).fit(values, labels)
