"""New images from a trained network, in batches with flat memory."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int64, Shaped

from darklens.classes import canonical_class
from darklens.diffusion.base import NO_CLASS, GeneratorNetwork
from darklens.diffusion.noise import SeededNoise
from darklens.errors import BadInput, BadModel
from darklens.naming import sides
from darklens.nn import filled_up

__all__ = ["GeneratedImages", "Generator", "Observe", "Restore"]

Restore = Callable[[Float32[np.ndarray, "n c h w"]], Float32[np.ndarray, "n c h w"]]
"""From what the network makes to the values of the images that it learned from."""

Observe = Callable[[Float32[np.ndarray, "n c h w"], int, Sequence[int]], np.ndarray]
"""Noise of the instrument: from expected images, the seed and the images' numbers to observed."""

_BATCH = 16
_FILM = 8


@dataclass(frozen=True)
class GeneratedImages:
    """A batch of new images.

    Attributes:
        images: The images.
        labels: Class of each as a number; -1 where there was no class to tell.
        start: Number of the first one.
    """

    images: Shaped[np.ndarray, "n c h w"]
    labels: Int64[np.ndarray, " n"]
    start: int

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return (
            f"GeneratedImages({len(self)} images of {sides(self.images.shape[1:])} pixels, "
            f"{self.images.dtype}, from number {self.start} on)"
        )


class Generator:
    """A trained network that makes new images.

    On one machine image `i` of a seed is the same, to the last bit, whatever the batch size, the
    count, the start and what was made before: the network always works on as many images as
    `GeneratorNetwork.together` says, image `i` always in the same row. On another processor or
    device it is the same up to the rounding of single precision. Its class is that with the number
    `i` modulo the number of classes, unless told otherwise.

    Args:
        network: The network.
        classes: Names of the classes of its training images.
        restore: From the network's values to those of the images.
        observe: Noise that is added to expected images, where there is any.
        device: Torch device of the network.
        counts: Whether the noise makes whole counts.
    """

    def __init__(
        self,
        network: GeneratorNetwork,
        classes: Sequence[str],
        restore: Restore,
        observe: Observe | None = None,
        device: str = "cpu",
        *,
        counts: bool = True,
    ) -> None:
        self.network = network.to(device).eval()
        self.classes = tuple(classes)
        self.device = device
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
        """Whether it can be told the class."""
        return self.network.classes > 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of an image."""
        return self.network.shape

    def dtype(self, *, expected: bool = False) -> np.dtype[Any]:
        """Type of the images: uint16 counts where noise makes them, or float32."""
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
        batch: int = _BATCH,
        expected: bool = False,
    ) -> GeneratedImages:
        """New images.

        Args:
            count: Number of images.
            labels: One class for all by its name, a class number for each (-1 for no class), or
                None for all classes in turn.
            steps: Steps of the sampler; the network's own number by default.
            guidance: Strength of the class condition; 1 is the condition as it was learned.
            seed: The same seed gives the same images.
            batch: Images that are finished at a time; it changes none of them.
            expected: Leave out the noise of the instrument.

        Raises:
            BadInput: If an argument is out of range.
        """
        parts = list(
            self.batches(
                count,
                labels=labels,
                steps=steps,
                guidance=guidance,
                seed=seed,
                batch=batch,
                expected=expected,
            )
        )
        images = np.concatenate([part.images for part in parts])
        return GeneratedImages(images, np.concatenate([part.labels for part in parts]), 0)

    def batches(
        self,
        count: int,
        *,
        labels: str | Sequence[int] | None = None,
        steps: int | None = None,
        guidance: float = 1.0,
        seed: int = 0,
        batch: int = _BATCH,
        expected: bool = False,
        start: int = 0,
    ) -> Iterator[GeneratedImages]:
        """The same batch by batch, so that any number of images needs the memory of one batch.

        Args:
            count: Number after the last image.
            labels: As for `generate`; a sequence is counted from image 0.
            steps: Steps of the sampler.
            guidance: Strength of the class condition.
            seed: The same seed gives the same images.
            batch: Images that are finished at a time; it changes none of them.
            expected: Leave out the noise of the instrument.
            start: Number of the first image.

        Raises:
            BadInput: If an argument is out of range.
        """
        if count < 1 or batch < 1 or not 0 <= seed < 2**64 or not 0 <= start <= count:
            raise BadInput("count and batch must be at least 1 and seed from 0 to 2^64 - 1")
        if not np.isfinite(guidance) or (guidance != 1 and not self.conditional):
            raise BadInput("guidance must be a number, and 1 for a model without classes")
        number = self.network.default_steps if steps is None else steps
        self.network.check_steps(number)
        classes = self.labels(count, labels)
        return self._batches(classes, number, guidance, seed, batch, expected, start)

    def labels(
        self, count: int, chosen: str | Sequence[int] | None = None
    ) -> Int64[np.ndarray, " n"]:
        """Class numbers of the first images; see `generate`.

        Raises:
            BadInput: If there is no such class, or the model cannot be told one.
        """
        if not self.conditional:
            if chosen is not None:
                raise BadInput("this model knows no classes; leave the label out")
            return np.full(count, NO_CLASS, dtype=np.int64)
        known = len(self.classes)
        if chosen is None:
            return np.arange(count, dtype=np.int64) % known
        if isinstance(chosen, str):
            name = canonical_class(chosen)
            if name not in self.classes:
                raise BadInput(f"there is no class '{chosen}'; known are {', '.join(self.classes)}")
            return np.full(count, self.classes.index(name), dtype=np.int64)
        values = np.asarray(chosen, dtype=np.int64)
        if values.shape != (count,) or values.min() < NO_CLASS or values.max() >= known:
            raise BadInput(f"labels must be {count} numbers from -1 to {known - 1}")
        return values

    def film(
        self,
        *,
        label: str | None = None,
        steps: int | None = None,
        guidance: float = 1.0,
        seed: int = 0,
        frames: int = _FILM,
    ) -> Float32[np.ndarray, "k c h w"]:
        """Image 0 as it is seen on the way from noise, the finished one last."""
        number = self.network.default_steps if steps is None else steps
        labels = self.labels(1, label)
        seen = list(self._sample(0, labels, number, guidance, seed))
        chosen = np.unique(np.linspace(0, len(seen) - 1, min(frames, len(seen))).round())
        return np.concatenate([self._restore(seen[int(k)].cpu().numpy())[:1] for k in chosen])

    def _batches(
        self,
        labels: Int64[np.ndarray, " n"],
        steps: int,
        guidance: float,
        seed: int,
        batch: int,
        expected: bool,
        start: int,
    ) -> Iterator[GeneratedImages]:
        expectation = self._expectation(labels, steps, guidance, seed, start)
        for first in range(start, len(labels), batch):
            chosen = labels[first : first + batch]
            images = np.stack(list(islice(expectation, len(chosen))))
            if self._observe is not None and not expected:
                images = self._observe(images, seed, range(first, first + len(chosen)))
            yield GeneratedImages(images, chosen, first)

    def _expectation(
        self, labels: Int64[np.ndarray, " n"], steps: int, guidance: float, seed: int, start: int
    ) -> Iterator[Float32[np.ndarray, "c h w"]]:
        """Images from number `start` on, without the noise of the instrument, one by one."""
        together = self._together
        for first in range(start - start % together, len(labels), together):
            known = labels[first : first + together]
            *_, last = self._sample(first, known, steps, guidance, seed)
            made = self._restore(last.cpu().numpy())[: len(known)]
            if not np.isfinite(made).all() or not torch.isfinite(last[: len(known)]).all():
                raise BadModel("the generator makes images that are not finite")
            yield from made[max(0, start - first) :]

    @property
    def _together(self) -> int:
        """Images that the network works on at once, always as many."""
        return self.network.together(torch.device(self.device).type)

    def _sample(
        self, first: int, labels: Int64[np.ndarray, " n"], steps: int, guidance: float, seed: int
    ) -> Iterator[torch.Tensor]:
        """Images from number `first` on, as many as the network works on; of no use beyond `n`."""
        indices = range(first, first + self._together)
        noise = SeededNoise(seed, indices, self.network.noise_shape, self.device)
        known = filled_up(torch.from_numpy(labels), len(indices)).to(self.device)
        with torch.inference_mode():
            yield from self.network.sample(noise, known, steps=steps, guidance=guidance)
