"""From raw images to class probabilities."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from darklens.data import Preprocessing, pixel_problem
from darklens.data.steps import Panel
from darklens.errors import BadInput, BadModel, DarklensError
from darklens.nn import even_size, in_chunks

if TYPE_CHECKING:
    from darklens.hub import ModelCard

__all__ = ["Classifier"]

_BATCH = 64  # images that are preprocessed together
_CHUNKS = {"cpu": 8}  # rows of each pass through the network, so that answers are reproducible
_CHUNK = 64  # on other devices
_NOT_FINITE = "the model's output for it is not finite"


class Classifier:
    """A trained network with its preprocessing and temperature.

    On one machine an image gets the same answer, to the last bit, whatever the batch, the order and
    the other images: the network always works on chunks of one size, chosen by a
    trial with identical rows.

    Args:
        network: Network from preprocessed images to logits.
        classes: Names of the logits, in their order.
        preprocessing: Steps from a raw image to what the network takes.
        temperature: Logits are divided by it before the softmax.
        device: Torch device of the network.
        card: The card of the model that this was loaded from (`darklens.hub.ModelCard`), or None.
    """

    card: "ModelCard | None"

    def __init__(
        self,
        network: nn.Module,
        classes: tuple[str, ...],
        preprocessing: Preprocessing,
        temperature: float = 1.0,
        device: str = "cpu",
        card: Any = None,
    ) -> None:
        self.network = network.to(device).eval()
        self.classes = tuple(classes)
        self.preprocessing = preprocessing
        self.temperature = temperature
        self.device = device
        self.card = card
        self._chunk_sizes: dict[torch.Size, int] = {}

    def __repr__(self) -> str:
        network = getattr(self.network, "backbone", self.network)
        steps = ", ".join(name for step in self.preprocessing.spec for name in step) or "none"
        return (
            f"Classifier({type(network).__name__}; classes {', '.join(self.classes)}; "
            f"preprocessing {steps}; temperature {self.temperature:.3f}; on {self.device})"
        )

    def logits(self, images: Shaped[np.ndarray, "n *c h w"]) -> Float[np.ndarray, "n k"]:
        """Outputs of the network before temperature and softmax.

        Args:
            images: Raw images (n, c, h, w) or (n, h, w), of any number type.

        Raises:
            BadInput: If the array has another number of axes or does not suit the network.
        """
        return self._run(images)[0]

    def explain(
        self, images: Shaped[np.ndarray, "n *c h w"]
    ) -> tuple[Float[np.ndarray, "n k"], dict[str, list[Any]]]:
        """Class probabilities, and the columns that the preprocessing adds for each image.

        Raises:
            BadInput: If the array has another number of axes or does not suit the network.
            BadModel: If the network's output is not finite.
        """
        logits, columns = self._run(images)
        return self._softmax(logits), columns

    def illustrate(
        self, images: Shaped[np.ndarray, "n *c h w"]
    ) -> tuple[Float[np.ndarray, "n k"], dict[str, list[Any]], list[list[Panel]]]:
        """The same, with the panels that explain each image, from the same preprocessing.

        Raises:
            BadInput: If the array has another number of axes or does not suit the network.
            BadModel: If the network's output is not finite.
        """
        panels: list[list[Panel]] = []
        logits, columns = self._run(images, panels)
        return self._softmax(logits), columns, panels

    def _run(
        self, images: Shaped[np.ndarray, "n *c h w"], panels: list[list[Panel]] | None = None
    ) -> tuple[Float[np.ndarray, "n k"], dict[str, list[Any]]]:
        """Logits and columns; panels are appended to a list, if there is one."""
        images = _with_channels(images)
        outputs = [np.empty((0, len(self.classes)))]
        columns: dict[str, list[Any]] = {}
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                part = images[start : start + _BATCH]
                if panels is None:
                    batch, said = self.preprocessing.explain(part)
                else:
                    batch, said, shown = self.preprocessing.illustrate(part)
                    panels += shown
                if not np.isfinite(batch).all():
                    raise BadInput("some pixels that the model uses are NaN or infinite")
                for name, values in said.items():
                    columns.setdefault(name, []).extend(values)
                try:
                    rows = torch.from_numpy(batch).to(self.device)
                    logits = in_chunks(self.network, rows, size=self._chunk(rows[0]))
                except RuntimeError as error:
                    reason = str(error).splitlines()[0]
                    size = " x ".join(map(str, batch.shape[1:]))
                    raise BadInput(f"images of {size} do not suit the model: {reason}") from error
                outputs.append(logits.double().cpu().numpy())
        return np.concatenate(outputs), columns

    def _chunk(self, row: Tensor) -> int:
        """Rows of a pass through the network, in which each place gives the same answer."""
        if self._chunk_sizes.get(row.shape) is None:
            largest = _CHUNKS.get(torch.device(self.device).type, _CHUNK)
            self._chunk_sizes[row.shape] = even_size(self.network, row, largest)
        return self._chunk_sizes[row.shape]

    def _softmax(self, logits: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
        if not np.isfinite(logits).all():
            raise BadModel(_NOT_FINITE)
        probabilities: np.ndarray = torch.from_numpy(logits / self.temperature).softmax(1).numpy()
        return probabilities

    def probabilities(self, images: Shaped[np.ndarray, "n *c h w"]) -> Float[np.ndarray, "n k"]:
        """Calibrated class probabilities of raw images (n, c, h, w) or (n, h, w).

        Raises:
            BadInput: If the array has another number of axes or does not suit the network.
            BadModel: If the network's output is not finite.
        """
        return self._softmax(self.logits(images))

    def predict(self, images: Shaped[np.ndarray, "n *c h w"]) -> pd.DataFrame:
        """Table with one row per image: `label`, `p_CLASS` for each class, further columns.

        The further columns come from the preprocessing, such as how well a fit went. An image
        cannot be used if pixels that the model uses are NaN, if pixels are infinite or all equal,
        if the preprocessing refuses it, or if the network's output is not finite. Its label and
        probabilities are then missing, and the column `error` gives the reason, as for files.

        Raises:
            BadInput: If none of the images can be used.
        """
        images = _with_channels(images)
        problems = [self._problem(image) for image in images]
        probabilities = np.full((len(images), len(self.classes)), np.nan)
        said: dict[str, pd.Series] = {}
        answered = False
        for indices, logits, columns in self._explained(images, problems):
            answered = True
            finite = np.isfinite(logits).all(axis=1)
            places = np.array(indices, dtype=int)
            probabilities[places[finite]] = self._softmax(logits[finite])
            for place in places[~finite]:
                problems[place] = _NOT_FINITE
            for name, column in columns.items():
                values = said.setdefault(name, pd.Series([None] * len(images), dtype=object))
                values.iloc[indices] = pd.Series(column, dtype=object)
        if len(images) and not answered:
            raise BadInput(f"none of {len(images)} images can be used; the first: {problems[0]}")
        labels = [
            self.classes[row.argmax()] if problem is None else None
            for row, problem in zip(probabilities, problems, strict=True)
        ]
        table = pd.DataFrame({"label": pd.Series(labels, dtype="string")})
        for i, name in enumerate(self.classes):
            table[f"p_{name}"] = probabilities[:, i]
        for name, values in said.items():
            table[name] = pd.Series(list(values))
        if any(problems):
            table["error"] = pd.Series(problems, dtype="string")
        return table

    def _problem(self, image: Shaped[np.ndarray, "c h w"]) -> str | None:
        """Why an image cannot be classified; NaN outside the crop is allowed."""
        problem = pixel_problem(image, allow_nan=True)
        if problem is not None or pixel_problem(image) is None:
            return problem
        try:
            prepared = self.preprocessing.batch(image[None])
        except DarklensError as error:
            return str(error)
        return None if np.isfinite(prepared).all() else pixel_problem(image)

    def _explained(
        self, images: Shaped[np.ndarray, "n c h w"], problems: list[str | None]
    ) -> Iterator[tuple[list[int], Float[np.ndarray, "m k"], dict[str, list[Any]]]]:
        """Logits and columns of the usable images; new problems are added to the list.

        The images are classified together, and one by one only if that fails.
        """
        good = [i for i, problem in enumerate(problems) if problem is None]
        if not good:
            return
        try:
            yield (good, *self._run(images[good]))
            return
        except DarklensError as error:
            if len(good) == 1:
                problems[good[0]] = str(error)
                return
        for i in good:
            try:
                yield ([i], *self._run(images[i : i + 1]))
            except DarklensError as error:
                problems[i] = str(error)


def _with_channels(images: Shaped[np.ndarray, "n *c h w"]) -> Shaped[np.ndarray, "n c h w"]:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4:
        raise BadInput(f"images must be (n, c, h, w) or (n, h, w), not {images.ndim} axes")
    return images
