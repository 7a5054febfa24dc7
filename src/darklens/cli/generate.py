"""`darklens generate`: new lenses from a trained generator, as a picture, a store or a tree.

Image `i` of a seed is the same whatever the count. A killed run continues where it stopped when
the same command is given again.
"""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from darklens import __version__
from darklens.classes import UNLABELLED, canonical_class
from darklens.data import NpyTreeWriter, StoreWriter
from darklens.diffusion import GeneratedImages, Generator
from darklens.display import grid_picture, write_picture
from darklens.files.atomic import atomic_file, writing
from darklens.files.configuration import write_configuration
from darklens.files.locks import only_writer
from darklens.files.places import check_added_folder
from darklens.hub import ModelCard, find_model, load_card, load_generator
from darklens.production.outputs import configuration_place, kind_of_output
from darklens.progress import ProgressBar, progress_bar, say

__all__ = ["generate"]

_SHARD = 64  # images between two marks from which a killed run continues


def generate(
    *,
    model: str = "common-test-1",
    count: int = 16,
    label: str | None = None,
    steps: int | None = None,
    guidance: float = 1.0,
    seed: int = 0,
    output: Path = Path("generated.png"),
    expected: bool = False,
    batch: int = 16,
    figures: Path | None = None,
    device: str = "cpu",
    quiet: bool = False,
) -> None:
    """Generate new lenses.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        count: Number of images in all, over all classes.
        label: Class of all images; all classes in turn if not given.
        steps: Steps of the sampler; the model's own number if not given.
        guidance: Strength of the class condition: 1 as it was learned, more exaggerates it.
        seed: The same seed gives the same images.
        output: A name that ends in .png is a picture of up to 400 lenses, one in .zarr a store,
            any other a folder of .npy files by class.
        expected: Leave out what makes expected images observed ones: photon noise, or compression.
        batch: Images finished at a time; decides the memory and changes no image.
        figures: Folder for a film strip of the first image on its way from noise.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.
    """
    settings = dict(locals())
    kind = kind_of_output(output, count)
    if figures is not None:
        check_added_folder(figures)
    folder = find_model(model)
    generator, card = load_generator(folder, device), load_card(folder)
    work = _Work(generator, card, label, steps, guidance, seed, expected, batch)
    with only_writer(output), writing(output):
        if kind == "png":
            work.draw(output, count, quiet=quiet)
        else:
            work.write(output, count, store=kind == "zarr", quiet=quiet)
        if figures is not None:
            frames = generator.film(label=label, steps=steps, guidance=guidance, seed=seed)
            with atomic_file(figures / "film.png") as temporary:
                write_picture(temporary, grid_picture(frames, columns=len(frames)))
        write_configuration(configuration_place(output), "generate", settings)
    say(f"wrote {count} images to {output}", quiet=quiet)


@dataclass(frozen=True)
class _Work:
    """What makes any of the images."""

    generator: Generator
    card: ModelCard
    label: str | None
    steps: int | None
    guidance: float
    seed: int
    expected: bool
    batch: int

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the output."""
        if self.label is not None:
            return (canonical_class(self.label),)
        return self.generator.classes if self.generator.conditional else (UNLABELLED,)

    def bar(self, count: int, *, quiet: bool) -> ProgressBar:
        """Progress bar over the images; where there is no terminal, one line instead."""
        line = f"generating {count} images with '{self.card.name}'"
        return progress_bar(count, "generating", line, quiet=quiet)

    def images(self, start: int, stop: int, bar: ProgressBar) -> GeneratedImages:
        """Images `start` to `stop`, with labels that count in the classes of the output."""
        parts = []
        for part in self.generator.batches(
            stop,
            labels=self.label,
            steps=self.steps,
            guidance=self.guidance,
            seed=self.seed,
            batch=self.batch,
            expected=self.expected,
            start=start,
        ):
            parts.append(part)
            bar.update(len(part.images))
        labels = np.concatenate([part.labels for part in parts])
        if len(self.classes) == 1:
            labels = np.zeros_like(labels)
        return GeneratedImages(np.concatenate([part.images for part in parts]), labels, start)

    def draw(self, output: Path, count: int, *, quiet: bool) -> None:
        """A picture of all images, each class in columns of its own."""
        with self.bar(count, quiet=quiet) as bar, atomic_file(output) as temporary:
            images = self.images(0, count, bar).images
            classes = len(self.classes)
            columns = min(count, classes * max(1, round(count**0.5 / classes)))
            write_picture(temporary, grid_picture(images, columns=columns))

    def write(self, output: Path, count: int, *, store: bool, quiet: bool) -> None:
        """All images that are not there yet, shard by shard."""
        self.generator.batches(  # wrong arguments show before anything is written
            count, labels=self.label, steps=self.steps, guidance=self.guidance, seed=self.seed
        )
        writer = self._writer(output, count, store=store)
        pending = writer.pending()
        with self.bar(sum(stop - start for start, stop in pending), quiet=quiet) as bar:
            for start, stop in pending:
                made = self.images(start, stop, bar)
                table = pd.DataFrame({"index": np.arange(start, stop)})
                writer.write(start, made.images, made.labels, table)
        writer.finish()

    def _writer(self, output: Path, count: int, *, store: bool) -> StoreWriter | NpyTreeWriter:
        scaled = bool(self.card.output and self.card.output.scaled_files) and not self.expected
        kind = StoreWriter if store else partial(NpyTreeWriter, scaled=scaled)
        return kind(
            output,
            shape=self.generator.shape,
            dtype=self.generator.dtype(expected=self.expected),
            count=count,
            classes=self.classes,
            attributes={
                "model": self.card.name,
                "weights": self.card.weights.sha256 if self.card.weights else None,
                "card": _digest(self.card),
                "steps": self.steps or self.generator.network.default_steps,
                "guidance": self.guidance,
                "seed": self.seed,
                "version": __version__,
            },
            shard=_SHARD,
        )


def _digest(card: ModelCard) -> str:
    """Hash of what the card says that changes images; metrics and words do not."""
    parts = (card.network, card.preprocessing, card.output, card.classes)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
