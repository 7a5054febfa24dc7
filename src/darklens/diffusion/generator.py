"""Generate images with a trained network, in batches of bounded memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped

from darklens.classes import canonical_class
from darklens.diffusion.base import NO_CLASS, GeneratorNetwork
from darklens.diffusion.noise import SeededNoise
from darklens.errors import BadInput, BadModel
from darklens.naming import sides
from darklens.nn import filled_up

if TYPE_CHECKING:
    from darklens.hub import ModelCard

__all__ = ["GeneratedImages", "Generator", "Observe", "Restore", "SamplingOptions"]

Restore = Callable[[Float32[np.ndarray, "n c h w"]], Float32[np.ndarray, "n c h w"]]
"""From the output of the network to the pixel values of its training images."""

Observe = Callable[[Float32[np.ndarray, "n c h w"], int, Sequence[int]], np.ndarray]
"""Instrument noise: from expected images, the seed and image indices to observed images."""

_FILM = 8


@dataclass(frozen=True)
class SamplingOptions:
    """How images are drawn from a generator.

    Attributes:
        steps: Number of sampling steps; the default of the network if None.
        guidance: Strength of the class condition; 1 is the condition as learned.
        seed: Seed; the same seed gives the same images.
        batch: Images per batch; affects memory but not the images.
        expected: Leave out the instrument noise.
    """

    steps: int | None = None
    guidance: float = 1.0
    seed: int = 0
    batch: int = 16
    expected: bool = False

    def __post_init__(self) -> None:
        """Refuse values out of range.

        Raises:
            BadInput: If a value is out of range.
        """
        if self.batch < 1 or not 0 <= self.seed < 2**64:
            raise BadInput("batch must be at least 1 and seed from 0 to 2^64 - 1")
        if not np.isfinite(self.guidance):
            raise BadInput("guidance must be a number, and 1 for a model without classes")


@dataclass(frozen=True)
class GeneratedImages:
    """A batch of new images.

    Attributes:
        images: The images.
        labels: Class index of each image; -1 for no class.
        start: Index of the first image.
    """

    images: Shaped[np.ndarray, "n c h w"]
    labels: Int64[np.ndarray, " n"]
    start: int

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return (
            f"GeneratedImages({len(self)} images of {sides(self.images.shape[1:])} pixels, "
            f"{self.images.dtype}, from index {self.start})"
        )


class Generator:
    """A trained network that generates new images.

    On one machine image `i` of a seed is the same to the last bit, whatever the batch size, count
    and start: the network always works on `GeneratorNetwork.together` images at once, with image
    `i` in the same row. On another processor or device it is the same up to single-precision
    rounding. By default its class index is `i` modulo the number of classes.

    Args:
        network: The network.
        classes: Class names of its training images.
        restore: Conversion of the network's output to pixel values.
        observe: Noise to add to expected images, or None.
        device: Torch device of the network.
        counts: Whether the noise gives integer counts.
        card: The card of the loaded model (`darklens.hub.ModelCard`), or None.
    """

    card: "ModelCard | None"

    def __init__(
        self,
        network: GeneratorNetwork,
        classes: Sequence[str],
        restore: Restore,
        observe: Observe | None = None,
        device: str = "cpu",
        *,
        counts: bool = True,
        card: Any = None,
    ) -> None:
        self.network = network.to(device).eval()
        self.classes = tuple(classes)
        self.device = device
        self.card = card
        self._restore = restore
        self._observe = observe
        self._counts = counts

    def __repr__(self) -> str:
        return (
            f"Generator({type(self.network).__name__}: {sides(self.shape)} pixels, "
            f"{self.dtype()}; classes {', '.join(self.classes)}; on {self.device})"
        )

    @property
    def conditional(self) -> bool:
        """Whether the class of an image can be chosen."""
        return self.network.classes > 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of an image."""
        return self.network.shape

    def dtype(self, *, expected: bool = False) -> np.dtype[Any]:
        """Type of the images: uint16 for photon counts, or float32."""
        counts = self._observe is not None and self._counts and not expected
        return np.dtype(np.uint16 if counts else np.float32)

    def generate(
        self,
        count: int,
        *,
        labels: str | Sequence[int] | None = None,
        steps: int | None = None,
        guidance: float = 1.0,
        seed: int = 0,
        batch: int = 16,
        expected: bool = False,
    ) -> GeneratedImages:
        """Generate new images.

        Args:
            count: Number of images.
            labels: The name of one class for all images, a class index for each (-1 for no
                class), or None for all classes in turn.
            steps: Number of sampling steps; the default of the network if None.
            guidance: Strength of the class condition; 1 is the condition as learned.
            seed: Seed; the same seed gives the same images.
            batch: Images per batch; affects memory but not the images.
            expected: Leave out the instrument noise.

        Raises:
            BadInput: If an argument is out of range.
        """
        options = SamplingOptions(steps, guidance, seed, batch, expected)
        parts = list(self.batches(count, options, labels=labels))
        images = np.concatenate([part.images for part in parts])
        return GeneratedImages(images, np.concatenate([part.labels for part in parts]), 0)

    def batches(
        self,
        count: int,
        options: SamplingOptions | None = None,
        *,
        labels: str | Sequence[int] | None = None,
        start: int = 0,
    ) -> Iterator[GeneratedImages]:
        """Generate batch by batch, so that any number of images needs the memory of one batch.

        Args:
            count: One past the index of the last image.
            options: How the images are drawn.
            labels: As for `generate`; a sequence starts at image 0.
            start: Index of the first image.

        Raises:
            BadInput: If an argument is out of range.
        """
        options = options or SamplingOptions()
        if count < 1 or not 0 <= start <= count:
            raise BadInput("count and batch must be at least 1 and seed from 0 to 2^64 - 1")
        self.check(options)
        self.network.check_steps(self.steps(options))
        return self._batches(self.labels(count, labels), options, start)

    def check(self, options: SamplingOptions) -> None:
        """Refuse options that the network does not support.

        Raises:
            BadInput: If the number of steps or the guidance is out of range.
        """
        if options.guidance != 1 and not self.conditional:
            raise BadInput("guidance must be a number, and 1 for a model without classes")
        self.network.check_steps(self.steps(options))
        self.network.check_guidance(options.guidance)

    def steps(self, options: SamplingOptions) -> int:
        """Number of sampling steps: from the options, or the default of the network."""
        return self.network.default_steps if options.steps is None else options.steps

    def labels(
        self, count: int, chosen: str | Sequence[int] | None = None
    ) -> Int64[np.ndarray, " n"]:
        """Class indices of the first images; see `generate`.

        Raises:
            BadInput: If there is no such class, or the model is unconditional.
        """
        if not self.conditional:
            if chosen is not None:
                raise BadInput("this model has no classes; omit the label")
            return np.full(count, NO_CLASS, dtype=np.int64)
        known = len(self.classes)
        if chosen is None:
            return np.arange(count, dtype=np.int64) % known
        if isinstance(chosen, str):
            name = canonical_class(chosen)
            if name not in self.classes:
                names = ", ".join(self.classes)
                raise BadInput(f"there is no class '{chosen}'; choose from {names}")
            return np.full(count, self.classes.index(name), dtype=np.int64)
        values = np.asarray(chosen, dtype=np.int64)
        if values.shape != (count,) or values.min() < NO_CLASS or values.max() >= known:
            raise BadInput(f"labels must be {count} integers from -1 to {known - 1}")
        return values

    def film(
        self,
        options: SamplingOptions | None = None,
        *,
        label: str | None = None,
        frames: int = _FILM,
    ) -> Float32[np.ndarray, "k c h w"]:
        """Image 0 at several steps of sampling, with the final image last."""
        seen = list(self._sample(0, self.labels(1, label), options or SamplingOptions()))
        chosen = np.unique(np.linspace(0, len(seen) - 1, min(frames, len(seen))).round())
        return np.concatenate([self._restore(seen[int(k)].cpu().numpy())[:1] for k in chosen])

    def _batches(
        self, labels: Int64[np.ndarray, " n"], options: SamplingOptions, start: int
    ) -> Iterator[GeneratedImages]:
        expectation = self._expectation(labels, options, start)
        for first in range(start, len(labels), options.batch):
            chosen = labels[first : first + options.batch]
            images = np.stack(list(islice(expectation, len(chosen))))
            if self._observe is not None and not options.expected:
                images = self._observe(images, options.seed, range(first, first + len(chosen)))
            yield GeneratedImages(images, chosen, first)

    def _expectation(
        self, labels: Int64[np.ndarray, " n"], options: SamplingOptions, start: int
    ) -> Iterator[Float32[np.ndarray, "c h w"]]:
        """Images from index `start` on, one by one, without instrument noise."""
        together = self._together
        for first in range(start - start % together, len(labels), together):
            known = labels[first : first + together]
            *_, last = self._sample(first, known, options)
            made = self._restore(last.cpu().numpy())[: len(known)]
            if not np.isfinite(made).all() or not torch.isfinite(last[: len(known)]).all():
                raise BadModel("the generated images are not finite")
            yield from made[max(0, start - first) :]

    @property
    def _together(self) -> int:
        """Number of images that the network processes at once, always the same."""
        return self.network.together(torch.device(self.device).type)

    def _sample(
        self, first: int, labels: Int64[np.ndarray, " n"], options: SamplingOptions
    ) -> Iterator[torch.Tensor]:
        """A full batch of the network from index `first` on; rows beyond the count are padding."""
        indices = range(first, first + self._together)
        noise = SeededNoise(options.seed, indices, self.network.noise_shape, self.device)
        known = filled_up(torch.from_numpy(labels), len(indices)).to(self.device)
        with torch.inference_mode():
            yield from self.network.sample(
                noise, known, steps=self.steps(options), guidance=options.guidance
            )
