"""The eight symmetries of the square."""

import torch

from darklens.nn import d4_average, d4_transform


def test_the_eight_elements_are_different_and_closed() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    turned = {tuple(d4_transform(image, element).flatten().tolist()) for element in range(8)}
    assert len(turned) == 8
    twice = {
        tuple(d4_transform(d4_transform(image, first), second).flatten().tolist())
        for first in range(8)
        for second in range(8)
    }
    assert twice == turned


def test_element_zero_is_the_identity() -> None:
    image = torch.randn(2, 1, 4, 4)
    assert torch.equal(d4_transform(image, 0), image)


def test_the_average_is_invariant() -> None:
    weights = torch.randn(5, 5)
    images = torch.randn(4, 1, 5, 5)

    def projection(batch: torch.Tensor) -> torch.Tensor:
        return (batch * weights).sum(dim=(-1, -2))

    expected = d4_average(projection, images)
    for element in range(8):
        turned = d4_average(projection, d4_transform(images, element))
        torch.testing.assert_close(turned, expected)
