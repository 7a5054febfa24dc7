"""What is checked of a run's images before it trains, each of them read once.

A file that cannot be used, an image that is in two parts, values that the preprocessing is not
made for: all of it ends the run at its start, with one line and, where there are several bad
files, the list of all of them in `bad_files.csv` in the folder of the run.
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
from darklens.files.tables import write_table
from darklens.nn import can_resume, is_first_process
from darklens.progress import progress

__all__ = ["BAD_FILES", "DataNeeds", "check_data", "check_values"]

BAD_FILES = "bad_files.csv"
_LISTED_FROM = 2


@dataclass(frozen=True)
class DataNeeds:
    """What a verb needs of its data.

    Attributes:
        classes: Fewest classes.
        value_range: Lowest and highest value that the preprocessing is made for, if it is known.
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
    """Check every image of a run, and keep the list of which one serves which purpose.

    Args:
        parts: The raw images.
        needs: What they must be.
        folder: Folder of the run.
        root: Where they lie, for messages.
        quiet: Show no progress.

    Raises:
        BadData: If an image cannot be used, is in two parts or has values that the preprocessing
            is not made for, or if a run that is resumed had other images.
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
    """The images whose values do not fit, where most do.

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
    """End the run if there are images that cannot be used."""
    if not problems:
        return
    words = f"{root}: {problems_in_words(problems, total)}"
    if len(problems) >= _LISTED_FROM and is_first_process():
        rows = [(item.part, str(root / item.name), item.reason) for item in problems]
        folder.mkdir(parents=True, exist_ok=True)
        write_table(pd.DataFrame(rows, columns=["part", "path", "reason"]), folder / BAD_FILES)
        words += f"; all of them are listed in {folder / BAD_FILES}"
    raise BadData(words)


def _keep_list(survey: Survey, folder: Path) -> None:
    """Write which image serves which purpose; of a resumed run it must be as it was."""
    path = folder / PARTS_FILE
    rows = parts_rows(survey.parts, survey.digests)
    if path.is_file() and can_resume(folder):
        before, now = set(read_parts(path)), set(rows)
        if before != now:
            example = sorted(before ^ now, key=lambda row: (row.part, row.name))[0]
            raise BadData(
                f"the data are not those that the run in {folder} began with:"
                f" {len(now - before)} images are new or changed and {len(before - now)} gone,"
                f" such as {example.name}; begin a new run with another --output"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_parts(path, rows)
