"""New lenses from a generative model, for the gallery."""

from darklens.diffusion import Generator, SamplingOptions
from darklens.hub import card_of
from darklens.serve.messages import Generated
from darklens.serve.planes import plane_of

__all__ = ["generate_lenses"]


def generate_lenses(
    generator: Generator,
    *,
    count: int,
    start: int,
    label: str | None,
    steps: int | None,
    guidance: float,
    seed: int,
) -> Generated:
    """Images `start` to `start + count` of a seed, the same as `darklens generate` makes.

    Args:
        generator: The model.
        count: Number of images.
        start: Number of the first.
        label: Class of all; all classes in turn if None.
        steps: Sampling steps; as the model has them if None.
        guidance: Strength of the class condition.
        seed: The same seed gives the same images.

    Raises:
        BadInput: If an argument does not fit the model.
    """
    card = card_of(generator)
    options = SamplingOptions(steps, guidance, seed)
    parts = list(generator.batches(start + count, options, labels=label, start=start))
    labels = [int(number) for part in parts for number in part.labels]
    return Generated(
        model=card.name,
        classes=[generator.classes[number] for number in labels] if generator.conditional else [],
        images=[plane_of(image[0]) for part in parts for image in part.images],
        start=start,
        steps=generator.steps(options),
        pixel_scale=card.input.pixel_scale,
    )
