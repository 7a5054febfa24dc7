"""New lenses from a trained generator, as a grid, a store or a folder of files.

Image `i` of a seed is the same whatever the count. A killed run continues where it stopped when
the same call is made again.
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
from darklens.diffusion import GeneratedImages, Generator, SamplingOptions
from darklens.display import grid_picture, write_picture
from darklens.files.atomic import atomic_file, writing
from darklens.files.configuration import write_configuration
from darklens.files.locks import only_writer
from darklens.files.places import check_added_folder
from darklens.files.remote import sent_to
from darklens.hub import ModelCard, card_of, load_generator
from darklens.production.outputs import WrittenImages, configuration_place, kind_of_output
from darklens.progress import ProgressBar, progress_bar

__all__ = ["generate"]

_SHARD = 64  # images between two points from which a killed run can continue


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
) -> WrittenImages:
    """Generate new lenses and write them.

    Args:
        model: Name of a shipped model, path of a model folder, or owner/name on the hub.
        count: Total number of images, over all classes.
        label: Class of all images. By default all classes in turn.
        steps: Number of sampling steps. By default that of the model.
        guidance: Strength of the class condition: 1 as it was learned, more exaggerates it.
        seed: The same seed gives the same images.
        output: Where to write. A name ending in .png gives a grid of up to 400 lenses, .zarr a
            store, any other name a folder of .npy files with a subfolder for each class. A URL
            ending in .zarr gets the store when it is complete.
        expected: Leave out the observational effects: photon noise, or compression.
        batch: Images per batch; affects memory but not the images.
        figures: Folder for a film strip of the first image as it emerges from noise.
        device: Torch device, such as cpu or cuda.
        quiet: Show no progress.

    Returns:
        Where the images are and what they are.

    Raises:
        BadInput: If an argument does not fit, or the output cannot be written.
        BadModel: If the model cannot be loaded.
    """
    settings = dict(locals())
    with sent_to(output) as place:
        kind = kind_of_output(place, count)
        if figures is not None:
            check_added_folder(figures)
        generator = load_generator(model, device)
        options = SamplingOptions(steps, guidance, seed, batch, expected)
        generator.check(options)
        work = _Work(generator, card_of(generator), label, options)
        with only_writer(place), writing(place):
            if kind == "png":
                work.draw(place, count, quiet=quiet)
            else:
                work.write(place, count, store=kind == "zarr", quiet=quiet)
            if figures is not None:
                frames = generator.film(options, label=label)
                with atomic_file(figures / "film.png") as temporary:
                    write_picture(temporary, grid_picture(frames, columns=len(frames)))
            write_configuration(configuration_place(place), "generate", settings)
    return WrittenImages(output, count, work.classes)


@dataclass(frozen=True)
class _Work:
    """What is needed to make any of the images."""

    generator: Generator
    card: ModelCard
    label: str | None
    options: SamplingOptions

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the output."""
        if self.label is not None:
            return (canonical_class(self.label),)
        return self.generator.classes if self.generator.conditional else (UNLABELLED,)

    def bar(self, count: int, *, quiet: bool) -> ProgressBar:
        """Progress bar over the images; without a terminal, one line instead."""
        line = f"generating {count} images with '{self.card.name}'"
        return progress_bar(count, "generating", line, quiet=quiet)

    def images(self, start: int, stop: int, bar: ProgressBar) -> GeneratedImages:
        """Images `start` to `stop`, with labels as indices of the classes of the output."""
        parts = []
        for part in self.generator.batches(stop, self.options, labels=self.label, start=start):
            parts.append(part)
            bar.update(len(part.images))
        labels = np.concatenate([part.labels for part in parts])
        if len(self.classes) == 1:
            labels = np.zeros_like(labels)
        return GeneratedImages(np.concatenate([part.images for part in parts]), labels, start)

    def draw(self, output: Path, count: int, *, quiet: bool) -> None:
        """Write a grid of all images, with separate columns for each class."""
        with self.bar(count, quiet=quiet) as bar, atomic_file(output) as temporary:
            images = self.images(0, count, bar).images
            classes = len(self.classes)
            columns = min(count, classes * max(1, round(count**0.5 / classes)))
            write_picture(temporary, grid_picture(images, columns=columns))

    def write(self, output: Path, count: int, *, store: bool, quiet: bool) -> None:
        """Write the images that are still missing, shard by shard."""
        self.generator.batches(count, self.options, labels=self.label)  # refuses bad arguments
        writer = self._writer(output, count, store=store)
        pending = writer.pending()
        with self.bar(sum(stop - start for start, stop in pending), quiet=quiet) as bar:
            for start, stop in pending:
                made = self.images(start, stop, bar)
                table = pd.DataFrame({"index": np.arange(start, stop)})
                writer.write(start, made.images, made.labels, table)
        writer.finish()

    def _writer(self, output: Path, count: int, *, store: bool) -> StoreWriter | NpyTreeWriter:
        scaled = (
            bool(self.card.output and self.card.output.scaled_files) and not self.options.expected
        )
        kind = StoreWriter if store else partial(NpyTreeWriter, scaled=scaled)
        return kind(
            output,
            shape=self.generator.shape,
            dtype=self.generator.dtype(expected=self.options.expected),
            count=count,
            classes=self.classes,
            attributes={
                "model": self.card.name,
                "weights": self.card.weights.sha256 if self.card.weights else None,
                "card": _digest(self.card),
                "steps": self.generator.steps(self.options),
                "guidance": self.options.guidance,
                "seed": self.options.seed,
                "version": __version__,
            },
            shard=_SHARD,
        )


def _digest(card: ModelCard) -> str:
    """Hash of the parts of the card that affect images; metrics and texts do not."""
    parts = (card.network, card.preprocessing, card.output, card.classes)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
