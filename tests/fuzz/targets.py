"""What is damaged, and what reads it: every reader and loader of files from elsewhere.

A target has seeds, sound files (or folders of them) that it writes itself, a mutation that suits
their format, and a function that reads a damaged one. Reading must return, or raise a
`DarklensError` of one clear line; the worker checks that.
"""

import contextlib
import hashlib
import io
import pickle
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import mutations
import numpy as np
from mutations import Mutation

from darklens.errors import BadInput

__all__ = ["CANARY", "TARGETS", "Target"]

CANARY = "canary"  # a file of this name in the working folder says that code was executed

_GENERATOR = np.random.default_rng(0)
_IMAGE = _GENERATOR.uniform(1, 200, (24, 24))


@dataclass(frozen=True)
class Target:
    """One kind of file and its readers.

    Attributes:
        seeds: Writes sound files, or folders, into a folder and returns them.
        damage: Changes the bytes of one file.
        read: Reads a damaged file or folder.
        share: Weight among all targets: slow readers get fewer files.
        mend: Makes a damaged folder consistent again (hashes), so that reading goes on.
    """

    seeds: Callable[[Path], Sequence[Path]]
    damage: Mutation
    read: Callable[[Path], Any]
    share: float = 1.0
    mend: Callable[[Path, Random], None] | None = None

    def write(self, seed: Path, place: Path, random: Random) -> Path:
        """A damaged copy of a seed in the folder `place`."""
        path = place / seed.name
        if not seed.is_dir():
            path.write_bytes(self.damage(seed.read_bytes(), random))
            return path
        shutil.copytree(seed, path)
        files = sorted(item for item in path.rglob("*") if item.is_file())
        victim = random.choice(files)
        kind = random.random()
        if kind < 0.08:
            victim.unlink()
        elif kind < 0.14:
            victim.write_bytes(random.choice(files).read_bytes())
        else:
            is_text = victim.suffix in (".yaml", ".json", ".csv", ".md", ".txt")
            damage = mutations.damage_text if is_text else self.damage
            victim.write_bytes(damage(victim.read_bytes(), random))
        if self.mend is not None:
            self.mend(path, random)
        return path


def _plane(path: Path) -> None:
    """Read as an image and as one plane of a fit; the second also when the first is refused."""
    from darklens.data import read_image
    from darklens.data.fit_inputs import read_plane
    from darklens.errors import DarklensError

    refused = None
    try:
        read_image(path)
    except DarklensError as error:
        refused = error
    read_plane(path)
    if refused is not None:
        raise refused


class _Evil:
    """Pickles to a call that leaves the canary."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({CANARY!r}, 'w').close()",)


def _objects(*items: Any) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def _npy(folder: Path) -> list[Path]:
    images = {
        "float64": _IMAGE[None],
        "big-endian": _IMAGE.astype(">u2"),
        "fortran": np.asfortranarray(_IMAGE.astype(np.float32)),
        "half": _IMAGE.astype(np.float16),
        "boolean": _IMAGE > 99,
        "channels-last": np.repeat(_IMAGE[..., None], 3, axis=2),
        "stack": np.repeat(_IMAGE[None, None], 20, axis=0),
    }
    for name, image in images.items():
        np.save(folder / f"{name}.npy", image)
    with (folder / "version2.npy").open("wb") as file:
        np.lib.format.write_array(file, _IMAGE, version=(2, 0))
    return sorted(folder.glob("*.npy"))


def _pickles(folder: Path) -> list[Path]:
    rows = _objects(*(_objects(*row) for row in _IMAGE.tolist()))
    contents = {
        "mass": _objects(_IMAGE, 1e-23),
        "numpy-mass": _objects(_IMAGE.astype(">f4"), np.float64(1e-23)),
        "rows": rows,
        "floats": _IMAGE.astype(object),
        "flat": _objects(_IMAGE.ravel(), np.array([1e-23])),
        "evil": _objects(_IMAGE, _Evil()),
    }
    for name, content in contents.items():
        path = folder / f"{name}.npy"
        np.save(path, content, allow_pickle=True)
        header = path.read_bytes()[:128]
        for protocol in (2, 3, 4, 5):
            again = header + pickle.dumps(content, protocol=protocol)
            (folder / f"{name}-{protocol}.npy").write_bytes(again)
    return sorted(folder.glob("*.npy"))


def _stacks(folder: Path) -> list[Path]:
    images = np.repeat(_IMAGE[None, None].astype(np.float32), 5, axis=0)
    labels, names = np.array([0, 1, 1, 0, 1]), np.array(["no", "sphere"])
    np.savez(folder / "plain.npz", images=images)
    np.savez(folder / "labelled.npz", images=images, labels=labels, classes=names)
    np.savez_compressed(folder / "packed.npz", images=images, axion_mass=np.ones(5))
    np.savez(folder / "evil.npz", images=_objects(_IMAGE, _Evil()))
    return sorted(folder.glob("*.npz"))


def _members(path: Path) -> None:
    """Read two images of a stack, its labels and its columns, as `predict` and `convert` do."""
    from darklens.data.npz_files import read_columns, read_labels
    from darklens.data.stacks import open_stack, read_stacked

    open_stack(path)
    for index in (0, 4):
        read_stacked(f"{path}[{index}]")
    read_labels(path, 5)
    read_columns(path, 5)


def _fits(folder: Path) -> list[Path]:
    from astropy.io import fits

    primary = fits.PrimaryHDU(_IMAGE)
    primary.header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CDELT1=-1e-5, CDELT2=1e-5)
    primary.writeto(folder / "wcs.fits")
    scaled = fits.ImageHDU(_IMAGE.astype(np.uint16), name="SCI")
    table = fits.BinTableHDU.from_columns([fits.Column("A", "E", array=np.arange(4.0))])
    extensions = [fits.PrimaryHDU(), table, scaled, fits.ImageHDU(_IMAGE, name="ERR")]
    fits.HDUList(extensions).writeto(folder / "extensions.fits")
    fits.PrimaryHDU(np.repeat(_IMAGE[None], 3, axis=0)).writeto(folder / "cube.fits")
    fits.PrimaryHDU(_IMAGE.astype(np.float32)).writeto(folder / "zipped.fits.gz")
    return sorted(folder.iterdir())


def _compressed_fits(folder: Path) -> list[Path]:
    from astropy.io import fits

    for kind in ("RICE_1", "GZIP_1", "GZIP_2", "HCOMPRESS_1", "PLIO_1"):
        image = _IMAGE.astype(np.int16)
        fits.CompImageHDU(image, compression_type=kind).writeto(folder / f"{kind}.fits")
    noisy = fits.CompImageHDU(_IMAGE.astype(np.float32), compression_type="RICE_1")
    noisy.writeto(folder / "quantised.fits.fz")
    return sorted(folder.iterdir())


def _jpeg(folder: Path) -> list[Path]:
    from PIL import Image

    grey = Image.fromarray(_IMAGE.astype(np.uint8))
    grey.save(folder / "grey.jpg")
    grey.convert("RGB").save(folder / "colour.jpeg", progressive=True, exif=b"Exif\0\0MM\0*\0\0")
    grey.convert("CMYK").save(folder / "cmyk.jpg")
    return sorted(folder.iterdir())


def _png(folder: Path) -> list[Path]:
    from PIL import Image

    grey = Image.fromarray(_IMAGE.astype(np.uint8))
    grey.save(folder / "grey.png")
    Image.fromarray((_IMAGE * 300).astype(np.uint16)).save(folder / "deep.png")
    grey.convert("P").save(folder / "palette.png", transparency=3)
    grey.convert("RGBA").save(folder / "transparent.png")
    grey.convert("1").save(folder / "bits.png")
    return sorted(folder.iterdir())


def _stores(folder: Path) -> list[Path]:
    import pandas as pd

    from darklens.data import StoreWriter

    images = _IMAGE.astype(np.uint16) + np.arange(40, dtype=np.uint16)[:, None, None, None]
    labels = np.arange(40) % 2
    for name, count in (("small.zarr", 5), ("shards.zarr", 40)):
        writer = StoreWriter(
            folder / name,
            shape=(1, *_IMAGE.shape),
            dtype=np.uint16,
            count=count,
            classes=("no", "sphere"),
            shard=16,
        )
        for start, stop in writer.pending():
            table = pd.DataFrame({"einstein_radius": np.ones(stop - start)})
            writer.write(start, images[start:stop], labels[start:stop], table)
        writer.finish()
    return sorted(folder.glob("*.zarr"))


def _open_store(path: Path) -> None:
    from darklens.data import open_dataset

    dataset = open_dataset(path)
    for index in range(0, len(dataset), 16):
        dataset.images(slice(index, index + 16))


def _cards(folder: Path) -> list[Path]:
    from importlib import resources

    models = resources.files("darklens.hub") / "models"
    for name in ("default", "common-test-1"):
        (folder / name).mkdir()
        text = (models / name / "card.yaml").read_bytes()
        (folder / name / "card.yaml").write_bytes(text)
    return sorted(folder.iterdir())


def _load_card(path: Path) -> None:
    from darklens.hub import load_card

    load_card(path)


def _models(folder: Path) -> list[Path]:
    import torch

    from darklens.classify import build_network
    from darklens.hub import InputCard, ModelCard, TrainingCard, save_model

    torch.manual_seed(0)
    spec = {"name": "backbone", "backbone": "test_resnet"}
    made = TrainingCard(
        "none", images=0, seconds=0.0, machine="any", date="2026-01-01", version="0"
    )
    card = ModelCard(
        name="tiny",
        kind="classifier",
        description="An untrained network.",
        classes=("no", "sphere", "vort"),
        input=InputCard(1, 24, 24, None, "counts"),
        preprocessing=({"min_max": {}},),
        network=spec,
        training=made,
        licence="MIT",
    )
    save_model(folder / "tiny", build_network(spec, in_channels=1), card)
    return [folder / "tiny"]


def _rehash(folder: Path, random: Random) -> None:
    """Mostly write the hash of the damaged weights into the card, so that they are loaded."""
    card, weights = folder / "card.yaml", folder / "weights.safetensors"
    if random.random() < 0.1 or not (card.is_file() and weights.is_file()):
        return
    digest = hashlib.sha256(weights.read_bytes()).hexdigest().encode()
    card.write_bytes(re.sub(rb"sha256: [0-9a-f]{64}", b"sha256: " + digest, card.read_bytes()))


def _classify(path: Path) -> None:
    from darklens.hub import load_classifier

    load_classifier(path).predict(_IMAGE[None, None])


def _presets(folder: Path) -> list[Path]:
    from importlib import resources

    for item in (resources.files("darklens") / "simulation" / "presets").iterdir():
        if item.name.endswith(".yaml"):
            (folder / item.name).write_bytes(item.read_bytes())
    return sorted(folder.iterdir())


def _simulator(path: Path) -> None:
    from darklens.simulation import Simulator

    Simulator(str(path))


def _recipes(folder: Path) -> list[Path]:
    root = Path(__file__).resolve().parents[2] / "recipes"
    for path in root.glob("*.yaml"):
        shutil.copy(path, folder)
    return sorted(folder.iterdir())


def _print_recipe(path: Path) -> None:
    """Read a recipe as the verb does, and check how the verb ends."""
    from darklens.cli.main import main

    verb = "generator" if path.name.startswith("generator") else "classifier"
    said, told = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
        code = main(["train", verb, "--config", str(path), "--print_config"])
    if code == 0:
        return
    lines = told.getvalue().splitlines()
    if code != 2 or len(lines) != 1 or not lines[0].startswith("darklens: error: "):
        raise AssertionError(f"exit code {code}, stderr {told.getvalue()[:300]!r}")
    raise BadInput(lines[0])


def _damage_pickle(data: bytes, random: Random) -> bytes:
    """Damage of the pickle behind the header, mostly: opcodes, lengths, names."""
    if random.random() < 0.2:
        return mutations.damage_npy(data, random)
    return data[:128] + mutations.damage_bytes(data[128:], random)


def _damage_compressed(data: bytes, random: Random) -> bytes:
    """Other parameters of the compression half of the time: they decide what memory it touches."""
    if random.random() < 0.5:
        return mutations.damage_fits(data, random)
    changed = bytearray(data)
    cards = [m.start() for m in re.finditer(rb"Z(TILE|VAL|NAXIS|BITPIX|BLANK|CMPTYPE)\d* *=", data)]
    at = random.choice(cards)
    value = str(random.choice((0, 1, 2, 3, 7, 23, 24, 25, 48, 1024, -1, 2**31 - 1, 2**62)))
    changed[at + 10 : at + 80] = value.rjust(20).encode().ljust(70)
    return bytes(changed)


TARGETS = {
    "npy": Target(_npy, mutations.damage_npy, _plane, share=8),
    "pickle": Target(_pickles, _damage_pickle, _plane, share=8),
    "stack": Target(_stacks, mutations.damage_bytes, _members, share=3),
    "fits": Target(_fits, mutations.damage_fits, _plane, share=4),
    "compressed-fits": Target(_compressed_fits, _damage_compressed, _plane, share=4),
    "jpeg": Target(_jpeg, mutations.damage_bytes, _plane, share=3),
    "png": Target(_png, mutations.damage_png, _plane, share=3),
    "store": Target(_stores, mutations.damage_bytes, _open_store, share=2),
    "card": Target(_cards, mutations.damage_text, _load_card, share=3),
    "model": Target(_models, mutations.damage_bytes, _classify, share=2, mend=_rehash),
    "preset": Target(_presets, mutations.damage_text, _simulator, share=3),
    "recipe": Target(_recipes, mutations.damage_text, _print_recipe, share=1),
}
