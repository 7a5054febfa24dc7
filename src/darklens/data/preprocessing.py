"""The preprocessing declared by a model's card, as a function of images.

The declaration is an ordered list of steps, each `{name: {parameters}}`:

    >>> import numpy as np
    >>> preprocessing = build_preprocessing([{"center_crop": {"size": 2}}, {"min_max": {}}])
    >>> preprocessing(np.arange(16, dtype=np.uint16).reshape(1, 4, 4)).tolist()
    [[[0.0, 0.20000000298023224], [0.800000011920929, 1.0]]]

Training, prediction and the web app use the same declaration. Steps of other packages, such as
the residual of a fit, are passed by name as `extra_steps`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Shaped

from darklens.data.steps import STEPS, ExplainingStep, Images, Panel, Step
from darklens.errors import BadModel
from darklens.files.schema import call_with
from darklens.workers import one_blas_thread

__all__ = ["Preprocessing", "build_preprocessing"]

StepSpec = Mapping[str, Mapping[str, Any] | None]


class Preprocessing:
    """The steps from raw images to the input of a network.

    Args:
        spec: The declaration, kept to be written into a card.
        steps: The functions of the steps, in order.
    """

    def __init__(self, spec: Sequence[StepSpec], steps: Sequence[Step]) -> None:
        self._spec = tuple(
            {name: dict(given or {}) for name, given in item.items()} for item in spec
        )
        self._steps = tuple(steps)

    def __repr__(self) -> str:
        steps = [
            f"{name}({', '.join(f'{key}={value!r}' for key, value in given.items())})"
            for step in self._spec
            for name, given in step.items()
        ]
        return f"Preprocessing({', '.join(steps)})"

    @property
    def spec(self) -> list[dict[str, dict[str, Any]]]:
        """The declaration as plain lists and dicts, from which it can be rebuilt."""
        return [{name: dict(given) for name, given in item.items()} for item in self._spec]

    @property
    def explains(self) -> bool:
        """Whether a step fits each image and reports on it, which takes longer than reading it."""
        return any(isinstance(step, ExplainingStep) for step in self._steps)

    def __call__(self, image: Shaped[np.ndarray, "c h w"]) -> Float32[np.ndarray, "d i j"]:
        """The network's input for one raw image."""
        prepared: Float32[np.ndarray, "d i j"] = self.batch(image[None])[0]
        return prepared

    def batch(self, images: Shaped[np.ndarray, "n c h w"]) -> Float32[np.ndarray, "n d i j"]:
        """The network's input for a batch of raw images.

        Raises:
            BadData: If the images are too small, or unsuitable for a step.
        """
        return self.explain(images)[0]

    def explain(
        self, images: Shaped[np.ndarray, "n c h w"]
    ) -> tuple[Float32[np.ndarray, "n d i j"], dict[str, list[Any]]]:
        """The network's input, and table columns with what the steps report on each image.

        Raises:
            BadData: If the images are too small, or unsuitable for a step.
        """
        values: Images = images.astype(np.float32)
        columns: dict[str, list[Any]] = {}
        for step in self._steps:
            if isinstance(step, ExplainingStep):
                with one_blas_thread():
                    values, found = step.explain(values)
                columns |= found
            else:
                values = step(values)
        return np.ascontiguousarray(values, dtype=np.float32), columns

    def illustrate(
        self, images: Shaped[np.ndarray, "n c h w"]
    ) -> tuple[Float32[np.ndarray, "n d i j"], dict[str, list[Any]], list[list[Panel]]]:
        """The same, with panels that illustrate each image; plain steps have none.

        Raises:
            BadData: If the images are too small, or unsuitable for a step.
        """
        values: Images = images.astype(np.float32)
        columns: dict[str, list[Any]] = {}
        shown: list[list[Panel]] = [[] for _ in images]
        for step in self._steps:
            if isinstance(step, ExplainingStep):
                with one_blas_thread():
                    values, found, panels = step.illustrate(values)
                columns |= found
                shown = [old + new for old, new in zip(shown, panels, strict=True)]
            else:
                values = step(values)
        return np.ascontiguousarray(values, dtype=np.float32), columns, shown


def build_preprocessing(
    spec: Any, extra_steps: Mapping[str, Callable[..., Step]] | None = None
) -> Preprocessing:
    """Build the declared steps.

    Args:
        spec: List of `{name: {parameters}}`, as returned by a safe YAML loader.
        extra_steps: Additional factories by name; each takes the declared parameters and returns
            a function of float32 images (N, C, H, W).

    Raises:
        BadModel: If a step or a parameter is unknown, missing or of the wrong type.
    """
    if isinstance(spec, str | Mapping) or not isinstance(spec, Sequence):
        raise BadModel("preprocessing must be a list of steps, each {name: {parameters}}")
    known = {**STEPS, **(extra_steps or {})}
    return Preprocessing(spec, [_build_step(item, known) for item in spec])


def _build_step(item: Any, known: Mapping[str, Callable[..., Step]]) -> Step:
    if not isinstance(item, Mapping) or len(item) != 1:
        raise BadModel(
            f"preprocessing step {str(item)[:60]!r} must be one {{name: {{parameters}}}}"
        )
    name, given = next(iter(item.items()))
    if name not in known:
        raise BadModel(
            f"unknown preprocessing step {str(name)[:60]!r}; choose from {', '.join(sorted(known))}"
        )
    parameters = {} if given is None else given
    if not isinstance(parameters, Mapping):
        raise BadModel(f"preprocessing step {name}: its parameters must be {{name: value}}")
    source = f"preprocessing step {name}"
    step: Step = call_with(known[name], parameters, BadModel, source=source)
    return step
