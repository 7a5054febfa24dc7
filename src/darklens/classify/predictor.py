"""From raw images to class probabilities and answers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from darklens.classify.answers import Answer, answer_table, judged
from darklens.classify.calibration import Calibration
from darklens.classify.features import last_linear, logits_and_features
from darklens.classify.fitted_answers import fitted_answers
from darklens.classify.outputs import Outputs
from darklens.data import Preprocessing, pixel_problem
from darklens.data.preparation import PreparedImage
from darklens.data.steps import Panel
from darklens.errors import BadData, BadInput, BadModel, DarklensError
from darklens.nn import even_size, in_chunks

if TYPE_CHECKING:
    from darklens.hub import ModelCard

__all__ = ["Classifier", "check_coverage"]

_BATCH = 64  # images that are preprocessed together
_CHUNKS = {"cpu": 8}  # rows of each pass through the network, so that answers are reproducible
_CHUNK = 64  # on other devices
_TRIALS = 16  # of the last layer, whose few outputs may agree by chance
_NOT_FINITE = "the model's output for it is not finite"


def check_coverage(coverage: float) -> None:
    """Refuse an impossible coverage.

    Raises:
        BadInput: If it is not above 0 and below 1.
    """
    if not 0 < coverage < 1:
        raise BadInput(f"--coverage must be above 0 and below 1, not {coverage:g}")


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
        calibration: Its calibration; without one there are neither sets nor familiarity.
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
        calibration: Calibration | None = None,
    ) -> None:
        self.network = network.to(device).eval()
        self.classes = tuple(classes)
        self.preprocessing = preprocessing
        self.temperature = temperature
        self.device = device
        self.card = card
        self.calibration = calibration
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

    def outputs(self, images: Shaped[np.ndarray, "n *c h w"]) -> Outputs:
        """Logits, features before the last layer, and columns.

        Raises:
            BadInput: If the array has another number of axes or does not suit the network.
        """
        return self._outputs(images)

    def answer(
        self,
        images: Shaped[np.ndarray, "n *c h w"],
        *,
        coverage: float = 0.95,
        panels: bool = False,
    ) -> list[Answer]:
        """Label or `unknown`, set and familiarity of each image.

        Args:
            images: Raw images (n, c, h, w) or (n, h, w), of any number type.
            coverage: Probability with which a set is to hold the true class.
            panels: Keep the panels that explain each image.

        Raises:
            BadInput: If the array has another number of axes or does not suit the network.
            BadModel: If the network's output is not finite.
        """
        check_coverage(coverage)
        shown: list[list[Panel]] = []
        found = self._outputs(images, shown if panels else None)
        return self._judged(found, shown, coverage)

    def answer_prepared(
        self, images: Sequence[PreparedImage], *, coverage: float = 0.95
    ) -> list[Answer]:
        """The same for images that the model's preprocessing has prepared.

        Args:
            images: Usable images of one size.
            coverage: Probability with which a set is to hold the true class.

        Raises:
            BadData: If an image cannot be used.
            BadInput: If the images do not suit the network.
            BadModel: If the network's output is not finite.
        """
        check_coverage(coverage)
        problem = next((image.problem for image in images if image.values is None), None)
        if problem is not None:
            raise BadData(problem)
        with torch.inference_mode():
            batch = np.stack([image.values for image in images if image.values is not None])
            both = self._pass(batch, features=True)
        logits, features = np.split(both, [len(self.classes)], axis=1)
        names = images[0].columns
        columns = {name: [image.columns[name] for image in images] for name in names}
        panels = [list(image.panels) for image in images]
        return self._judged(Outputs(logits, features, columns), panels, coverage)

    def _judged(
        self, found: Outputs, panels: Sequence[Sequence[Panel]], coverage: float
    ) -> list[Answer]:
        probabilities = self._softmax(found.logits)
        count = len(probabilities)
        members: Sequence[Any] = [None] * count
        familiarity = np.full(count, np.nan)
        if self.calibration is not None and count:
            members = list(self.calibration.sets(probabilities, coverage))
            familiarity = self.calibration.familiarity(found.features, found.columns)
        return [
            judged(
                self.classes,
                probabilities[index],
                members=members[index],
                familiarity=familiarity[index],
                columns={name: values[index] for name, values in found.columns.items()},
                panels=panels[index] if panels else (),
            )
            for index in range(count)
        ]

    def _outputs(
        self, images: Shaped[np.ndarray, "n *c h w"], panels: list[list[Panel]] | None = None
    ) -> Outputs:
        both, columns = self._run(images, panels, features=True)
        logits, features = np.split(both, [len(self.classes)], axis=1)
        return Outputs(logits, features, columns)

    def _run(
        self,
        images: Shaped[np.ndarray, "n *c h w"],
        panels: list[list[Panel]] | None = None,
        *,
        features: bool = False,
    ) -> tuple[Float[np.ndarray, "n k"], dict[str, list[Any]]]:
        """Logits, the features behind them if wanted, and columns.

        Panels are appended to a list, if there is one.
        """
        images = _with_channels(images)
        outputs = []
        columns: dict[str, list[Any]] = {}
        with torch.inference_mode():
            for start in range(0, len(images), _BATCH):
                part = images[start : start + _BATCH]
                if panels is None:
                    batch, found = self.preprocessing.explain(part)
                else:
                    batch, found, shown = self.preprocessing.illustrate(part)
                    panels += shown
                if not np.isfinite(batch).all():
                    raise BadInput("some pixels that the model uses are NaN or infinite")
                for name, values in found.items():
                    columns.setdefault(name, []).extend(values)
                outputs.append(self._pass(batch, features=features))
        return np.concatenate(outputs or [np.empty((0, len(self.classes)))]), columns

    def _pass(
        self, batch: Float[np.ndarray, "n c h w"], *, features: bool
    ) -> Float[np.ndarray, "n k"]:
        """One batch through the network."""
        function = self._side_by_side if features else self.network
        try:
            rows = torch.from_numpy(batch).to(self.device)
            found = in_chunks(function, rows, size=self._chunk(rows[0]))
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            size = " x ".join(map(str, batch.shape[1:]))
            raise BadInput(f"images of {size} do not suit the model: {reason}") from error
        return found.double().cpu().numpy()

    def _side_by_side(self, rows: Tensor) -> Float[Tensor, "n kf"]:
        return torch.cat(logits_and_features(self.network, rows), dim=1)

    def _chunk(self, row: Tensor) -> int:
        """Number of rows of a pass through the network for which each row gives the same answer."""
        if self._chunk_sizes.get(row.shape) is None:
            largest = _CHUNKS.get(torch.device(self.device).type, _CHUNK)
            size = even_size(self._side_by_side, row[None], largest)
            if (layer := last_linear(self.network)) is not None:
                seed = torch.Generator().manual_seed(0)
                features = torch.rand(_TRIALS, layer.in_features, generator=seed)
                size = even_size(layer, features.to(layer.weight), size)
            self._chunk_sizes[row.shape] = size
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

    def predict(
        self, images: Shaped[np.ndarray, "n *c h w"], *, coverage: float = 0.95, workers: int = 1
    ) -> pd.DataFrame:
        """Table with one row per image: `label`, `p_CLASS` for each class, further columns.

        The further columns are `set` (the classes that cannot be excluded, joined by `|`),
        `familiarity` (the share of the calibration images that are as unusual), and those that
        come from the preprocessing, such as how well a fit went. If the fit failed or
        familiarity is below 0.01, the label is `unknown`, and `note` says why. An image cannot be
        used if pixels that the model uses are NaN, if pixels are infinite or all equal, if the
        preprocessing refuses it, or if the network's output is not finite. Its label and
        probabilities are then missing, and the column `error` gives the reason, as for files.

        Args:
            images: Raw images (n, c, h, w) or (n, h, w), of any number type.
            coverage: Probability with which a set is to hold the true class.
            workers: Processes that fit, for models that fit each image; 0 for one per CPU core.
                The table is the same for any number.

        Raises:
            BadInput: If none of the images can be used, or `coverage` is out of range.
            WorkerDied: If a worker process was killed.
        """
        check_coverage(coverage)
        images = _with_channels(images)
        if self.preprocessing.explains:
            problems = [pixel_problem(image, allow_nan=True) for image in images]
            answers = fitted_answers(self, images, problems, coverage=coverage, workers=workers)
        else:
            problems = [self._problem(image) for image in images]
            answers = self._answers(images, problems, coverage)
        if len(images) and not any(answers) and _NOT_FINITE not in problems:
            raise BadInput(f"none of {len(images)} images can be used; the first: {problems[0]}")
        table = answer_table(answers, self.classes)
        if any(problems):
            table["error"] = pd.Series(problems, dtype="string")
        return table

    def _answers(
        self, images: Shaped[np.ndarray, "n c h w"], problems: list[str | None], coverage: float
    ) -> list[Answer | None]:
        """Answers for the usable images; new problems are added to the list.

        The images are classified together, and one by one only if that fails.
        """
        answers: list[Answer | None] = [None] * len(images)
        good = [index for index, problem in enumerate(problems) if problem is None]
        try:
            found = self.answer(images[good], coverage=coverage)
        except DarklensError as error:
            if len(good) == 1:
                problems[good[0]] = str(error)
                return answers
            for index in good:
                alone = [problems[index]]
                single = images[index : index + 1]
                answers[index] = self._answers(single, alone, coverage)[0]
                problems[index] = alone[0]
            return answers
        for index, answer in zip(good, found, strict=True):
            answers[index] = answer
        return answers

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


def _with_channels(images: Shaped[np.ndarray, "n *c h w"]) -> Shaped[np.ndarray, "n c h w"]:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4:
        raise BadInput(f"images must be (n, c, h, w) or (n, h, w), not {images.ndim} axes")
    return images
