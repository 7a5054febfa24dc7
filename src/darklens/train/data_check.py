"""Check the images of a run before training, reading each of them once.

Unusable files, images that are in two parts, and pixel values outside the range expected by the
preprocessing end the run at the start with one line. If there are several bad files, all are
listed in `bad_files.csv` in the folder of the run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from darklens.data import ImageDataset
from darklens.data.parts_list import PARTS_FILE, parts_rows, read_parts, write_parts
from darklens.data.survey import ImageProblem, Survey, problems_in_words, survey_images
from darklens.errors import BadConfig, BadData
from darklens.files.remote import shown_path
from darklens.files.tables import write_table
from darklens.nn import can_resume, is_first_process
from darklens.progress import progress, say

__all__ = ["BAD_FILES", "DataNeeds", "check_data", "check_values", "report_left_out"]

BAD_FILES = "bad_files.csv"
_LISTED_FROM = 2


@dataclass(frozen=True)
class DataNeeds:
    """Requirements of a verb on its data.

    Attributes:
        classes: Minimum number of classes.
        value_range: Lowest and highest pixel value expected by the preprocessing, if known.
        advice: What to do about images with other values.
    """

    classes: int = 2
    value_range: tuple[float, float] | None = None
    advice: str = "change the preprocessing and --data.value-range together"

    def __post_init__(self) -> None:
        """Check the range."""
        if self.value_range is None:
            return
        low, high = self.value_range
        if not (np.isfinite(low) and np.isfinite(high) and low < high):
            raise BadConfig(f"--data.value-range: {low:g} must be below {high:g}")


def check_data(
    parts: Mapping[str, ImageDataset], needs: DataNeeds, folder: Path, *, root: Path, quiet: bool
) -> None:
    """Check every image of a run, and save the list of images with their parts.

    Args:
        parts: The raw images.
        needs: Requirements on the images.
        folder: Folder of the run.
        root: Their folder, or its URL, for messages.
        quiet: Show no progress.

    Raises:
        BadData: If an image is unusable, is in two parts or has values outside the range expected
            by the preprocessing, or if a resumed run had other images.
    """
    total = sum(len(dataset) for dataset in parts.values())
    survey = survey_images(
        parts, progress=lambda loop: progress(loop, f"checking {total} images", quiet=quiet)
    )
    _refuse(survey.problems, total, folder, root)
    _refuse(check_values(survey, needs), total, folder, root)
    survey.check_disjoint()
    if is_first_process():
        (folder / BAD_FILES).unlink(missing_ok=True)
        _keep_list(survey, folder)


def check_values(survey: Survey, needs: DataNeeds) -> tuple[ImageProblem, ...]:
    """The images whose pixel values are out of range, if most images are within it.

    Raises:
        BadData: If most do not.
    """
    if needs.value_range is None:
        return ()
    try:
        return survey.check_range(*needs.value_range)
    except BadData as error:
        raise BadData(f"{error} (--data.value-range): {needs.advice}") from error


def _refuse(problems: Sequence[ImageProblem], total: int, folder: Path, root: Path) -> None:
    """End the run if there are unusable images."""
    if not problems:
        return
    raise BadData(_in_words(problems, total, folder, root))


def report_left_out(problems: Sequence[ImageProblem], total: int, folder: Path, root: Path) -> None:
    """Say in one line which images cannot be fitted and are left out.

    Args:
        problems: The images.
        total: Number of all images.
        folder: Folder of the run, for the list of the images.
        root: Their folder, or its URL, for messages.
    """
    if problems and is_first_process():
        say(f"left out: {_in_words(problems, total, folder, root)}")


def _in_words(problems: Sequence[ImageProblem], total: int, folder: Path, root: Path) -> str:
    """What is wrong with images, in one line; several are listed in a file."""
    words = f"{shown_path(root)}: {problems_in_words(problems, total)}"
    if len(problems) >= _LISTED_FROM and is_first_process():
        rows = [(item.part, shown_path(root / item.name), item.reason) for item in problems]
        folder.mkdir(parents=True, exist_ok=True)
        write_table(pd.DataFrame(rows, columns=["part", "path", "reason"]), folder / BAD_FILES)
        words += f"; all of them are listed in {folder / BAD_FILES}"
    return words


def _keep_list(survey: Survey, folder: Path) -> None:
    """Save the list of images with their parts; a resumed run must have the same list."""
    path = folder / PARTS_FILE
    rows = parts_rows(survey.parts, survey.digests)
    if path.is_file() and can_resume(folder):
        before, now = set(read_parts(path)), set(rows)
        if before != now:
            example = sorted(before ^ now, key=lambda row: (row.part, row.name))[0]
            raise BadData(
                f"the data have changed since the run in {folder} started:"
                f" {len(now - before)} images are new or changed and {len(before - now)} are gone,"
                f" such as {example.name}; start a new run with another --output"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_parts(path, rows)
