"""The options for a run's data: where the images come from and how they are used."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from darklens.errors import BadConfig
from darklens.files.remote import url_of

__all__ = ["DataOptions"]


@dataclass(frozen=True)
class DataOptions:
    """Where the images come from and how they are split.

    Attributes:
        path: Folder in the DeepLense layout, or a store, with parts train, val and test, or the URL
            of one, which is copied to this machine first. Without test, the reference protocol
            splits val 90:10 into selection and test; without val, one fold is held out for
            validation.
        preset: Without a path, train on simulations of this preset (name or YAML file), by default
            an endless stream. With prepared_images a list of presets may be given, which take
            turns.
        mix: Add the prepared simulations of the preset to the training images of the path.
        split_seed: Seed of the split of a folder or store.
        folds: Without a folder val, one image in this many is held out for validation.
        fold: Cross-validation: the fold of the training images to test on, from 1 to folds; all
            trains one model for each fold.
        value_range: Lowest and highest pixel value expected by the preprocessing; other images
            are refused.
        stream_seed: Seed of the simulated training images.
        validation_seed: Seed of the simulated validation images.
        validation_images: Number of simulated validation images.
        epoch_images: Simulated training images between two validations.
        prepared_images: Simulate and preprocess this many training images once before training,
            instead of new ones in each step; for a preprocessing or a simulation that takes
            longer than a step.
        copies: Turn prepared simulations into copies as found in files: half of them stay counts,
            the others become 8-bit images, JPEGs or resized images; half are moved by up to two
            pixels.
        expected: Simulate expected counts without photon noise, for a generator.
        cache: Folder for the prepared images, which several runs can share; by default it is in
            the folder of the run.
        batch_size: Images per step on each device.
        workers: Processes that read or simulate images; 0 uses the training process. For images
            that are prepared once, 0 means one per CPU core.
        cluster: Dask cluster that prepares images once: local, the address of a scheduler
            (tcp://HOST:PORT), or a YAML profile of dask-jobqueue.
    """

    path: Path | None = None
    preset: str | list[str] | None = None
    mix: bool = False
    split_seed: int = 0
    folds: int = 10
    fold: int | Literal["all"] | None = None
    value_range: tuple[float, float] | None = None
    stream_seed: int = 1_000_001
    validation_seed: int = 1_000_002
    validation_images: int = 3000
    epoch_images: int = 16384
    prepared_images: int = 0
    copies: bool = False
    expected: bool = False
    cache: Path | None = None
    batch_size: int = 32
    workers: int = 0
    cluster: str | None = None

    @property
    def presets(self) -> list[str]:
        """The presets, none to several."""
        if self.preset is None:
            return []
        return [self.preset] if isinstance(self.preset, str) else self.preset

    def resolved(self) -> "DataOptions":
        """The options that take effect: a path replaces the simulations unless `mix` adds them.

        Raises:
            BadConfig: If the options contradict each other.
        """
        if self.validation_images < 1 or self.epoch_images < 1 or self.prepared_images < 0:
            raise BadConfig("--data.validation-images and --data.epoch-images must be positive")
        if self.cache is not None and (url := url_of(self.cache)) is not None:
            raise BadConfig(f"--data.cache {url}: prepared images are kept in a folder here")
        if self.path is None and not self.presets:
            raise BadConfig("give the training data: either --data.path or --data.preset")
        if self.mix and (self.path is None or not self.presets or not self.prepared_images):
            raise BadConfig(
                "--data.mix adds simulations to the images of --data.path: give both, --data.preset"
                " and --data.prepared-images"
            )
        if self.path is None or self.mix:
            self._check_simulations()
            return self
        if not self.presets and (self.prepared_images or self.expected or self.copies):
            raise BadConfig(
                "--data.prepared-images, --data.copies and --data.expected are for simulations:"
                " give --data.preset"
            )
        return replace(self, preset=None, prepared_images=0, copies=False, expected=False)

    def _check_simulations(self) -> None:
        if self.stream_seed == self.validation_seed:
            raise BadConfig("--data.stream-seed and --data.validation-seed must differ")
        if self.path is None and self.fold is not None:
            raise BadConfig(
                "--data.fold splits the images of --data.path; simulations need no folds"
            )
        prepared = self.prepared_images and not self.expected
        if not prepared and (self.mix or self.copies or len(self.presets) > 1):
            raise BadConfig(
                "--data.mix, --data.copies and several presets need --data.prepared-images, and"
                " no --data.expected"
            )
