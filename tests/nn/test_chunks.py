"""Chunks of one size: the last one is filled up, and rows keep their bytes in any company."""

import pytest
import torch

from darklens.nn import even_size, filled_up, in_chunks


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 9])
def test_the_function_sees_one_size_only(count: int) -> None:
    seen = []

    def double(rows: torch.Tensor) -> torch.Tensor:
        seen.append(len(rows))
        return 2 * rows

    rows = torch.arange(2.0 * count).view(count, 2)
    assert torch.equal(in_chunks(double, rows, size=4), 2 * rows)
    assert set(seen) == {4}


def test_nothing_is_filled_up_with_nothing() -> None:
    assert filled_up(torch.zeros(0, 3), 2).shape == (2, 3)
    assert filled_up(torch.ones(2, 3), 2).sum() == 6


def test_the_size_is_one_in_which_all_places_are_alike() -> None:
    def last_row_apart(rows: torch.Tensor) -> torch.Tensor:
        made = 2 * rows
        if len(rows) > 2:
            made[-1] += 1e-6
        return made

    assert even_size(last_row_apart, torch.ones(1, 3), 16) == 2
    assert even_size(lambda rows: 2 * rows, torch.ones(1, 3), 16) == 16
    assert even_size(lambda rows: rows + torch.rand(rows.shape), torch.ones(1, 3), 16) == 1


def test_one_row_that_agrees_by_chance_is_not_enough() -> None:
    def rounded_apart(rows: torch.Tensor) -> torch.Tensor:
        made = rows.sum(dim=1, keepdim=True)
        made[-1] += (rows[-1] > 0.5).any()
        return made

    rows = torch.tensor([[0.1, 0.2], [0.3, 0.9]])
    assert even_size(rounded_apart, rows[:1], 8) == 8
    assert even_size(rounded_apart, rows, 8) == 1


@pytest.mark.parametrize("inputs", [32, 64, 512])
def test_a_layer_of_few_outputs_gives_the_same_in_any_batch(inputs: int) -> None:
    torch.manual_seed(1)
    layer = torch.nn.Linear(inputs, 3)
    rows = torch.rand(40, inputs)
    with torch.inference_mode():
        size = even_size(layer, torch.rand(16, inputs), 8)
        whole = in_chunks(layer, rows, size=size)
        single = torch.cat([in_chunks(layer, row[None], size=size) for row in rows])
    assert torch.equal(whole, single)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_do_not_depend_on_batch_or_order(threads: int) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 5, 2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(3528, 50)
    )
    images = torch.randn(21, 1, 46, 46)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            size = even_size(network, images[:1], 8)
            whole = in_chunks(network, images, size=size)
            single = torch.cat([in_chunks(network, image[None], size=size) for image in images])
            order = torch.randperm(21)
            shuffled = in_chunks(network, images[order], size=size)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(single, whole)
    assert torch.equal(shuffled, whole[order])
