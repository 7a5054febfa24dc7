"""Save a network with its card as a model folder, and load it again."""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darklens.errors import BadInput, BadModel
from darklens.files.atomic import atomic_folder
from darklens.files.places import OwnFolder
from darklens.hub.calibration import CALIBRATION_FILE, load_calibration
from darklens.hub.card import CARD_FILE, ModelCard, WeightsCard, load_card, write_card
from darklens.hub.folders import find_model
from darklens.hub.preprocessing import model_preprocessing
from darklens.hub.tensors import checked_tensors, largest_file
from darklens.hub.verified import verified_bytes

if TYPE_CHECKING:  # torch takes seconds to import, and listing cards does not need it
    from torch import Tensor, nn

    from darklens.classify import Classifier
    from darklens.diffusion import Generator

__all__ = [
    "MODEL_FOLDER",
    "card_of",
    "load_classifier",
    "load_generator",
    "save_model",
    "verified_weights",
]

_WEIGHTS_FILE = "weights.safetensors"
_LARGEST = 2**33  # bytes
_OF_DIFFUSERS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
)
MODEL_FOLDER = OwnFolder(
    CARD_FILE,
    "name: ",
    frozenset({CARD_FILE, "README.md", _WEIGHTS_FILE, CALIBRATION_FILE, *_OF_DIFFUSERS}),
)
"""Files of a model folder; a folder with anything else in it is not replaced."""


def save_model(
    folder: str | Path,
    network: "nn.Module",
    card: ModelCard,
    *,
    write_more: Callable[[Path], None] | None = None,
) -> ModelCard:
    """Write a model folder: `card.yaml` and the weights in half precision.

    Vectors and scalars (biases, norms and their running statistics) stay in single precision: they
    are small, and variances can exceed the range of half precision. An existing model folder is
    replaced.

    Args:
        folder: Folder to write.
        network: The trained network.
        card: Its card; `weights` is filled in, and the calibration of other weights is dropped.
        write_more: Function that writes further files into the folder, such as those of a
            pipeline of another library.

    Returns:
        The card as written.

    Raises:
        BadModel: If a weight is not finite in half precision.
        BadInput: If `folder` exists and is not a model folder.
    """
    from safetensors.torch import save

    data = save(_halved(network.state_dict()), metadata={"format": "pt"})
    weights = WeightsCard(_WEIGHTS_FILE, hashlib.sha256(data).hexdigest())
    card = replace(card, weights=weights, calibration=None)
    with atomic_folder(Path(folder), replaces=MODEL_FOLDER) as temporary:
        (temporary / _WEIGHTS_FILE).write_bytes(data)
        write_card(temporary, card)
        if write_more is not None:
            write_more(temporary)
    return card


def load_classifier(model: str | Path, device: str = "cpu") -> "Classifier":
    """Load a classifier with its preprocessing, temperature and calibration.

    Args:
        model: Name of a shipped model, path of a model folder, or `owner/name` on the hub.
        device: Torch device of the network.

    Raises:
        BadModel: If the model is missing, damaged or not one that darklens can build.
        BadInput: If there is no such device.
    """
    from darklens.classify import Classifier, build_network

    _check_device(device)
    folder, card = _card_of_kind(model, "classifier")
    preprocessing = model_preprocessing(list(card.preprocessing))
    spec = {key: value for key, value in card.network.items() if key != "in_channels"}
    build = partial(build_network, spec, in_channels=card.channels, classes=len(card.classes))
    network = _with_weights(build, folder, card)
    calibration = load_calibration(folder, card, network)
    return Classifier(
        network, card.classes, preprocessing, card.temperature, device, card, calibration
    )


def card_of(model: "Classifier | Generator") -> ModelCard:
    """The card of a loaded model.

    Raises:
        BadModel: If the model was not loaded from a folder.
    """
    if model.card is None:
        raise BadModel("this model has no card: load it with load_classifier or load_generator")
    return model.card


def load_generator(model: str | Path, device: str = "cpu") -> "Generator":
    """Load a generator, including the conversion of its network's output to images.

    Args:
        model: Name of a shipped model, path of a model folder, or `owner/name` on the hub.
        device: Torch device of the network.

    Raises:
        BadModel: If the model is missing, damaged or unknown to darklens.
        BadInput: If there is no such device.
    """
    from darklens.diffusion import Generator, build_generator
    from darklens.hub.output import build_noise, build_restore

    _check_device(device)
    folder, card = _card_of_kind(model, "generator")
    restore, observe = build_restore(card), build_noise(card)
    spec = {key: value for key, value in card.network.items() if key != "in_channels"}
    build = partial(build_generator, spec, channels=card.channels, classes=len(card.classes))
    network = _with_weights(build, folder, card)
    counts = card.output is not None and card.output.noise == "poisson"
    return Generator(network, card.classes, restore, observe, device, counts=counts, card=card)


def verified_weights(folder: Path, card: ModelCard, *, most: int = _LARGEST) -> bytes:
    """Bytes of a model's weights file.

    Args:
        folder: The model folder.
        card: Its card.
        most: Largest allowed size [byte].

    Raises:
        BadModel: If the file is missing, too large, a link out of the folder, or its sha256
            differs from the card's.
    """
    if card.weights is None:
        raise BadModel(f"{folder}: the card lists no weights")
    return verified_bytes(folder, card.weights, most=most)


def _card_of_kind(model: str | Path, kind: str) -> tuple[Path, ModelCard]:
    """Folder and card of a model of the given kind."""
    folder = find_model(model)
    card = load_card(folder)
    if card.kind != kind:
        raise BadModel(f"the model '{card.name}' is a {card.kind}, not a {kind}")
    return folder, card


def _check_device(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0][:80]
        raise BadInput(f"the device '{device}' cannot be used here: {reason}") from error


def _halved(state: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """The state with matrices and filters in half precision, each tensor in its own memory."""
    halved = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu()
        if tensor.is_floating_point():
            tensor = tensor.half() if tensor.ndim > 1 else tensor.float()
            if not tensor.isfinite().all():
                raise BadModel(f"the weight '{name}' is not finite in half precision")
        halved[name] = tensor.clone().contiguous()
    return halved


def _with_weights(build: Callable[[], Any], folder: Path, card: ModelCard) -> Any:
    """Build the network with its checked weights in single precision.

    The network is first built without memory, so that a card cannot claim more than its weights.
    """
    import torch

    try:
        with torch.device("meta"), _unfilled():
            wanted = build().state_dict()
    except (BadModel, RuntimeError, NotImplementedError):  # a few architectures need real tensors
        wanted = build().state_dict()
    data = verified_weights(folder, card, most=largest_file(wanted))
    try:
        tensors = checked_tensors(data, wanted)
        network = build()
        network.load_state_dict(tensors, strict=True)
    except (BadModel, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadModel(
            f"the weights in {folder} do not fit the card's network: {reason}"
        ) from error
    return network


def _unfilled() -> AbstractContextManager[Any]:
    """Leave new weights unfilled: to fill them on the meta device torch imports its compiler."""
    from torch.overrides import TorchFunctionMode

    class Unfilled(TorchFunctionMode):
        def __torch_function__(
            self,
            func: Any,
            types: Any,
            args: tuple[Any, ...] = (),
            kwargs: Mapping[str, Any] | None = None,
        ) -> Any:
            if getattr(func, "__module__", None) == "torch.nn.init":
                return args[0] if args else (kwargs or {})["tensor"]
            return func(*args, **(kwargs or {}))

    return Unfilled()
