"""The images that are meant by files, folders, globs and manifests, with what is said about them.

In a folder, files that are noise maps, masks or PSFs by their names are companions of images and
no images themselves. With a pattern `images`, all files that do not match it are left out. What
holds for a whole folder stands in `darklens.yaml` in it or in `FOLDER.yaml` beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from darklens.data import expand_stacks, find_images
from darklens.errors import BadConfig, BadInput
from darklens.naming import visible
from darklens.observations.companions import stem_of
from darklens.observations.manifest import MANIFEST_ENDINGS, read_manifest
from darklens.observations.options import ImageOptions, read_survey
from darklens.observations.roles import Role, read_name

__all__ = ["FOLDER_FILE", "Target", "find_targets"]

FOLDER_FILE = "darklens.yaml"
"""Name of the file that tells what holds for the images of its folder."""

_COMPANIONS: tuple[Role, ...] = ("rms", "variance", "weight", "psf", "mask", "flags", "other")


@dataclass(frozen=True)
class Target:
    """One image to read.

    Attributes:
        path: Its file, one image of a stack, or one extension.
        options: What is said about it.
        role: What the file holds by its name; `image` for all that were given by name.
        error: Why it cannot be used, or empty.
    """

    path: Path
    options: ImageOptions = field(default_factory=ImageOptions)
    role: Role = "image"
    error: str = ""

    def __repr__(self) -> str:
        what = visible(self.error) or self.role
        return f"Target({visible(self.path)!r}: {what})"


def find_targets(
    inputs: Sequence[str],
    options: ImageOptions | None = None,
    *,
    survey: Path | None = None,
) -> tuple[list[Target], tuple[str, ...]]:
    """Find the images, and what is to be told about the search.

    Args:
        inputs: Image files, folders (searched recursively), globs, and manifests.
        options: What holds for all of them.
        survey: YAML with what else holds for all of them, in place of those of the folders.

    Returns:
        The images in the order of the inputs, and messages of one line each.

    Raises:
        BadInput: If there is no image, or a manifest is not one.
        BadConfig: If the survey's YAML is not valid.
    """
    given = options or ImageOptions()
    said = None if survey is None else read_survey(survey)
    targets: list[Target] = []
    messages: list[str] = []
    files = [name for name in inputs if not _is_manifest(name)]
    for name in inputs:
        if not _is_manifest(name):
            continue
        rows, unknown = read_manifest(Path(name))
        for row in rows:
            merged = row.options.over(given)
            targets.append(_told(Target(row.image, merged, error=row.error), said, None))
        if unknown:
            messages.append(f"{name}: columns that are not used: {', '.join(unknown)}")
    if files or not inputs:
        targets += _of_files(files, given, said)
    return _unique(targets), tuple(messages)


def _is_manifest(name: str) -> bool:
    return name.lower().endswith(MANIFEST_ENDINGS) and Path(name).is_file()


def _of_files(files: Sequence[str], given: ImageOptions, said: ImageOptions | None) -> list[Target]:
    """The images of files, folders and globs."""
    roots = [Path(name) for name in files if Path(name).is_dir()]
    named = {Path(name) for name in files}
    targets = []
    for path in find_images(files):
        root = next((root for root in roots if root in path.parents), None)
        target = _told(Target(path, given), said, root)
        if path in named:
            targets.append(target)
        elif target.options.images is None:
            role = read_name(stem_of(path)).role
            targets.append(replace(target, role=role if role in _COMPANIONS else "image"))
        elif fnmatchcase(path.name, target.options.images):
            targets.append(target)
    if not targets:
        raise BadInput("no file matches the pattern images")
    return targets


def _told(target: Target, said: ImageOptions | None, root: Path | None) -> Target:
    """The target with what its survey's YAML says."""
    try:
        told = _of_folder(target.path.parent, root) if said is None else said
    except BadConfig as error:
        return replace(target, error=target.error or str(error))
    return target if told is None else replace(target, options=target.options.over(told))


@lru_cache(maxsize=4096)
def _of_folder(folder: Path, root: Path | None) -> ImageOptions | None:
    """What the YAML of a folder says, or of the nearest folder above it up to `root`."""
    inside, beside = folder / FOLDER_FILE, folder.resolve().with_suffix(".yaml")
    beside = beside.with_name(f"{folder.resolve().name}.yaml")
    found = [path for path in (inside, beside) if path.is_file()]
    if len(found) == 2:
        raise BadConfig(f"{inside} and {beside} both speak for the folder: remove one")
    if found:
        try:
            return read_survey(found[0])
        except BadConfig as error:
            raise BadConfig(f"{error} (read for the images in {folder})") from None
    if root is None or folder == root or folder == folder.parent:
        return None
    return _of_folder(folder.parent, root)


def _unique(targets: Sequence[Target]) -> list[Target]:
    """Stacks as their images, and each image with its extension once."""
    found: dict[tuple[str, str], Target] = {}
    for number, target in enumerate(targets):
        broken = bool(target.error)
        names = [target.path] if broken else expand_stacks([target.path], channels=1)
        for path in names:
            part = str(number) if broken else repr(target.options)
            found.setdefault((str(path), part), replace(target, path=path))
    return list(found.values())
