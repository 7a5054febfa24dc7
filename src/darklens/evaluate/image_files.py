"""One verb over many image files: a row and a picture for each, whatever happens to the others.

`inspect`, `fit` and `detect` take their images, and what is said about them, in the same way, and
their arguments have the same names.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from darklens.data.files import IMAGE_ENDINGS
from darklens.errors import BadInput, reason_of
from darklens.files.configuration import write_configuration
from darklens.files.remote import fetched_files
from darklens.files.tables import check_outputs, picture_name, write_table
from darklens.observations import Target, find_targets
from darklens.progress import progress, say
from darklens.workers import in_threads

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ImageRun", "Worked", "attempt", "only_images"]


@runtime_checkable
class Worked(Protocol):
    """One image, or several that are worked on together."""

    @property
    def path(self) -> Path:
        """The file that names it."""

    @property
    def error(self) -> str:
        """Why it cannot be used, or empty."""


Work = TypeVar("Work", bound=Worked)
Result = TypeVar("Result")

_ENDINGS = (*IMAGE_ENDINGS, ".yaml")


class ImageRun:
    """One run of a verb over image files.

    The inputs are found, and the outputs checked, before any work is done. Images at URLs are
    copied to a folder of this machine, which is removed when the `with` block ends.

    Args:
        verb: The verb.
        settings: Its arguments by name, of which `inputs`, `options`, `survey`, `output`,
            `figures`, `maps` or `posterior` (where there are any), `workers` and `quiet` are used
            here.

    Attributes:
        targets: All files that are meant, companions of images too.

    Raises:
        BadInput: If an argument is invalid, an output cannot be written, or no image is found.
        BadConfig: If the survey's YAML is not valid.
    """

    def __init__(self, verb: str, settings: Mapping[str, Any]) -> None:
        self._verb, self._settings = verb, dict(settings)
        self._check_outputs()
        if settings["workers"] < 1:
            raise BadInput("--workers must be at least 1")
        with ExitStack() as opened:
            self._fetched = opened.enter_context(fetched_files(settings["inputs"], _ENDINGS))
            self.targets, messages = find_targets(
                self._fetched.inputs, settings["options"], survey=settings["survey"]
            )
            self._configuration = self._check_outputs([target.path for target in self.targets])
            self._closed = opened.pop_all()
        for message in messages:
            say(message)

    def __enter__(self) -> "ImageRun":
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.close()

    def results(
        self, work: Callable[[Work], Result], targets: Sequence[Work], stage: str
    ) -> Iterator[tuple[str, Result]]:
        """Yield the name of a picture and the result for each image, in order.

        Args:
            work: What to do with each; several are worked on at a time.
            targets: The images.
            stage: What is done, for the progress bar.
        """
        workers, quiet = self._settings["workers"], self._settings["quiet"]
        found = in_threads(work, targets, workers=workers)
        shown = progress(found, stage, total=len(targets), quiet=quiet)
        for index, (target, result) in enumerate(zip(targets, shown, strict=True)):
            yield picture_name(index, target.path), result

    def finish(self, table: "pd.DataFrame") -> "pd.DataFrame":
        """Write the table, if a file is named for it, and the configuration of the run."""
        if self._fetched.tops:
            known = self._fetched.known_text
            table = table.map(lambda value: known(value) if isinstance(value, str) else value)
        output = self._settings["output"]
        if output is not None:
            write_table(table, output)
        if self._configuration is not None:
            write_configuration(self._configuration, self._verb, self._settings)
        return table

    def _check_outputs(self, inputs: Sequence[Path] = ()) -> Path | None:
        """Path of the configuration of the run; None if nothing is written."""
        folder = self._settings.get("maps") or self._settings.get("posterior")
        beside_maps = check_outputs(None, folder, inputs)
        output, figures = self._settings["output"], self._settings["figures"]
        return check_outputs(output, figures, inputs) or beside_maps


def attempt(
    work: Callable[[Work], Result],
    target: Work,
    failed: Callable[[Path, str], Result],
) -> Result:
    """The result for one image, or what stands for it with the reason of its failure.

    Args:
        work: What to do with it.
        target: The image; if it cannot be used, its own reason counts.
        failed: Makes the result of a failure from the path and the reason.
    """
    try:
        if target.error:
            raise BadInput(target.error)
        return work(target)
    except Exception as error:  # noqa: BLE001  one bad file must not stop the others
        return failed(target.path, reason_of(error))


def only_images(targets: Sequence[Target]) -> list[Target]:
    """The targets without noise maps, masks and PSFs, and how many those are is said.

    Raises:
        BadInput: If no image is left.
    """
    images = [target for target in targets if target.role == "image"]
    if not images:
        raise BadInput("all files are noise maps, masks or PSFs by their names: none is an image")
    if others := len(targets) - len(images):
        what = "1 file that is a" if others == 1 else f"{others} files that are each a"
        say(f"left out {what} noise map, mask or PSF by its name")
    return images
