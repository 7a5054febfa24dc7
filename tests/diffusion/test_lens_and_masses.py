"""The network of lens descriptions: what it makes, that it learns, what is refused."""

from typing import Any

import pytest
import torch

from darklens.diffusion import LensAndMasses, SeededNoise, build_generator, generator_spec
from darklens.errors import BadInput, BadModel

TINY: dict[str, Any] = {
    "name": "lens_and_masses",
    "coordinates": 2,
    "masses": 1,
    "width": 64,
    "blocks": 1,
    "embedding": 8,
}
NUMBERS = 2 + 6 + 3


def network(**settings: Any) -> LensAndMasses:
    torch.manual_seed(0)
    made = build_generator(TINY | settings)
    assert isinstance(made, LensAndMasses)
    return made


def examples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Descriptions whose first two numbers are equal in class 1 and opposite in class 2."""
    torch.manual_seed(1)
    labels = torch.arange(count) % 3
    numbers = torch.randn(count, NUMBERS)
    sign = torch.tensor([0.0, 1.0, -1.0])[labels]
    numbers[:, 1] = torch.where(labels > 0, sign * numbers[:, 0], numbers[:, 1])
    numbers[labels == 0, 2:] = 0
    return numbers, labels


def sampled(made: LensAndMasses, labels: torch.Tensor, **settings: Any) -> torch.Tensor:
    """Descriptions of these classes."""
    noise = SeededNoise(1, range(len(labels)), made.noise_shape)
    options = {"steps": 4, "guidance": 1.0} | settings
    with torch.inference_mode():
        *_, last = made.eval().sample(noise, labels, **options)
    return last[:, 0, 0]


def test_samples_are_descriptions_and_every_step_is_one() -> None:
    made = network().eval()
    made.space.fit(*examples(60))
    noise = SeededNoise(1, [4, 5], made.noise_shape)
    with torch.inference_mode():
        seen = list(made.sample(noise, torch.tensor([0, 1]), steps=4, guidance=1.0))
    assert len(seen) == made.default_steps == 4
    assert seen[-1].shape == (2, 1, 1, NUMBERS)
    assert made.shape == (1, 150, 150)


def test_an_untrained_network_draws_every_number_as_it_is_distributed() -> None:
    made = network(largest_noise=20.0, smallest_noise=0.01)
    numbers, labels = examples(3000)
    made.space.fit(numbers, labels)
    smooth = sampled(made, labels[:2000], steps=3)[:, :2]
    assert smooth.mean(0).tolist() == pytest.approx([0, 0], abs=0.1)
    assert smooth.std(0).tolist() == pytest.approx([1, 1], abs=0.05)


def test_it_learns_how_numbers_depend_on_each_other() -> None:
    made = network(conditional=False)
    numbers, labels = examples(300)
    equal, none = numbers[labels == 1], torch.zeros(100, dtype=torch.int64)
    made.space.fit(equal, none)
    codes = made.space.encode(equal, none)
    optimiser = torch.optim.Adam(made.parameters(), lr=1e-2)
    for _ in range(200):
        optimiser.zero_grad()
        made.loss(codes, none).backward()
        optimiser.step()
    found = sampled(made, torch.full((100,), -1))[:, :3]
    correlations = torch.corrcoef(found.T)
    assert float(correlations[0, 1]) > 0.9
    assert abs(float(correlations[0, 2])) < 0.5


def test_without_a_class_one_is_drawn() -> None:
    made = network()
    made.space.fit(*examples(90))
    none = torch.full((60,), -1)
    absent = [not row[2:].any() for row in sampled(made, none)]
    assert 10 < sum(absent) < 30
    again = sampled(made, torch.arange(60) % 3, guidance=0.0)
    assert torch.equal(again, sampled(made, none))
    with pytest.raises(BadInput, match="guidance of 0 or 1, not 2"):
        sampled(made, none, guidance=2.0)


def test_an_unconditional_network_has_one_table() -> None:
    made = network(conditional=False)
    numbers, labels = examples(60)
    made.space.fit(numbers, torch.zeros_like(labels))
    assert sampled(made, torch.full((4,), -1)).shape == (4, NUMBERS)


def test_the_description_of_the_network_keeps_a_presets_content() -> None:
    content = {"name": "mine", "lens": {"shear": 0.1}}
    spec = generator_spec(network(preset=content))
    assert spec["preset"] == content
    assert build_generator(spec).state_dict().keys() == network().state_dict().keys()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"masses": 0}, "masses must be at least 1"),
        ({"coordinates": 65}, "coordinates must be at most 64"),
        ({"sampler": "euler"}, "sampler must be"),
        ({"smallest_noise": 9.0}, "smallest_noise must be below"),
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(BadModel, match=message):
        network(**wrong)


def test_more_than_one_channel_is_refused() -> None:
    with pytest.raises(BadModel, match="makes one channel, not 3"):
        build_generator(TINY, channels=3)
