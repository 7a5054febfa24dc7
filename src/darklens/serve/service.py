"""What the server can do, without HTTP: models loaded once, work in bounded queues.

Long work (classify, fit, generate) runs in one thread, so that models are used by one request at a
time; simulations have a thread of their own, so that sliders stay quick meanwhile.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from darklens.errors import BadInput, BadModel, DarklensError
from darklens.hub import find_model, load_card, shipped_folders
from darklens.serve.lanes import Lane
from darklens.serve.messages import Model, Models

if TYPE_CHECKING:
    from darklens.classify import Classifier
    from darklens.diffusion import Generator
    from darklens.evaluate.fit.files import FileFitter

__all__ = ["Service"]

_MOST_LOADED = 8
_MOST_FITTERS = 16


class Service:
    """Models and queues of a server.

    Args:
        models: Names of shipped models, paths of model folders, or owner/name on the hub; all
            shipped models if None.
        device: Torch device.
        waiting: Most requests that wait in each queue.

    Raises:
        BadModel: If there is no such model.
        BadInput: If two models have the same name.
    """

    def __init__(
        self, models: Sequence[str | Path] | None = None, *, device: str = "cpu", waiting: int = 64
    ) -> None:
        self.device = device
        self.folders = _folders(models)
        self.ready = False
        self.long = Lane("work on images", waiting)
        self.short = Lane("simulate", waiting)
        self._lock = Lock()
        self._loaded: dict[tuple[str, str], Any] = {}

    def models(self) -> Models:
        """The models and presets that requests can name."""
        return Models(list(self._models()), list(_presets()))

    def default(self, kind: str) -> str:
        """The model that is taken if a request names none.

        Raises:
            BadModel: If the server has no such model.
        """
        names = [model.name for model in self._models() if model.kind == kind]
        if not names:
            raise BadModel(f"this server has no {kind}")
        return "default" if "default" in names else names[0]

    def classifier(self, name: str | None) -> "Classifier":
        """A classifier, loaded on first use.

        Raises:
            BadModel: If there is no such model, or it is not a classifier.
        """
        from darklens.hub import load_classifier

        found: Classifier = self._model("classifier", name, load_classifier)
        return found

    def generator(self, name: str | None) -> "Generator":
        """A generator, loaded on first use.

        Raises:
            BadModel: If there is no such model, or it is not a generator.
        """
        from darklens.hub import load_generator

        found: Generator = self._model("generator", name, load_generator)
        return found

    def fitter(self, preset: str) -> "FileFitter":
        """A fitter of a shipped preset.

        Raises:
            BadInput: If there is no such preset.
        """
        return _fitter(preset)

    def warm_up(self) -> None:
        """Load what the first requests need: the simulator, then the default classifier."""
        self.short.submit(self.models)
        first = self.short.submit(_simulate_once)
        first.add_done_callback(lambda _: self.long.submit(self._classify_once))

    def close(self) -> None:
        """Drop the requests that wait."""
        self.long.close()
        self.short.close()

    def _models(self) -> tuple[Model, ...]:
        from darklens.serve.cards import model_message

        return tuple(
            model_message(name, load_card(folder), folder) for name, folder in self.folders.items()
        )

    def _model(self, kind: str, name: str | None, load: Any) -> Any:
        name = self.default(kind) if name is None else name
        if name not in self.folders:
            raise BadModel(
                f"this server has no model '{name}': choose from {', '.join(self.folders)}"
            )
        with self._lock:
            if (kind, name) not in self._loaded:
                if len(self._loaded) == _MOST_LOADED:
                    self._loaded.pop(next(iter(self._loaded)))
                self._loaded[kind, name] = load(self.folders[name], self.device)
            return self._loaded[kind, name]

    def _classify_once(self) -> None:
        """Load the default classifier and run it on a lens of its preset."""
        from darklens.simulation import Simulator

        try:
            classifier = self.classifier(None)
            preset = classifier.card.training.preset if classifier.card else None
            if preset is not None:
                classifier.answer(Simulator(preset).lens(0).image[None])
        except DarklensError:
            return  # a server without a classifier; requests say so
        finally:
            self.ready = True


def _folders(models: Sequence[str | Path] | None) -> dict[str, Path]:
    """Folders of the models by the names that requests use."""
    if models is None:
        return shipped_folders()
    found: dict[str, Path] = {}
    for model in models:
        folder = find_model(model)
        name = load_card(folder).name
        if name in found:
            raise BadInput(f"--models: two models have the name '{name}'")
        found[name] = folder
    return found


def _presets() -> Any:
    from darklens.serve.cards import preset_messages

    return preset_messages()


def _simulate_once() -> None:
    from darklens.serve.lens_settings import LensSettings
    from darklens.serve.simulating import simulate_lens

    simulate_lens(LensSettings(), overlays=True)


@lru_cache(maxsize=_MOST_FITTERS)
def _fitter(preset: str) -> "FileFitter":
    from darklens.evaluate.fit.files import FileFitter
    from darklens.simulation import load_preset, preset_names

    if preset not in preset_names():
        raise BadInput(f"there is no preset '{preset}': choose {', '.join(preset_names())}")
    return FileFitter(load_preset(preset))
