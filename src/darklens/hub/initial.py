"""Start training from the weights of another model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darklens.errors import BadModel
from darklens.hub.card import ModelCard, load_card
from darklens.hub.folders import find_model
from darklens.hub.weights import load_classifier, load_generator

if TYPE_CHECKING:  # torch takes seconds to import, and listing cards does not need it
    from torch import Tensor, nn

__all__ = ["InitialModel", "initial_model"]


@dataclass(frozen=True)
class InitialModel:
    """A model whose weights are the starting point of training.

    Attributes:
        name: Name or folder, as given.
        card: Its card.
        weights: State of its network.
    """

    name: str
    card: ModelCard
    weights: "Mapping[str, Tensor]"

    @property
    def network(self) -> dict[str, Any]:
        """Description of its network."""
        return {key: value for key, value in self.card.network.items() if key != "in_channels"}

    def load_into(self, network: "nn.Module", classes: Sequence[str]) -> str | None:
        """Load these weights into a network.

        A classifier of different classes keeps its own last layer.

        Args:
            network: The network, changed in place.
            classes: The classes of the data.

        Returns:
            A message about a layer that starts from random weights, or None.

        Raises:
            BadModel: If the network is a different one.
        """
        weights, message = dict(self.weights), None
        if tuple(classes) != self.card.classes and self.card.kind == "classifier":
            layer = _last_layer(network)
            weights |= {
                name: tensor
                for name, tensor in network.state_dict().items()
                if name.startswith(f"{layer}.")
            }
            message = (
                f"the last layer starts from fresh weights: '{self.card.name}' has the classes "
                f"{', '.join(self.card.classes)}, the data have {', '.join(classes)}"
            )
        self._check_shapes(network.state_dict(), weights, classes)
        network.load_state_dict(weights)
        return message

    def _check_shapes(
        self,
        wanted: "Mapping[str, Tensor]",
        weights: "Mapping[str, Tensor]",
        classes: Sequence[str],
    ) -> None:
        """Raise an error at the first difference between the networks."""
        start = f"--init {self.name}: its weights do not fit"
        if tuple(classes) != self.card.classes and self.card.kind == "generator":
            raise BadModel(
                f"{start} these data: its classes are {', '.join(self.card.classes)}, those of the "
                f"data are {', '.join(classes)}"
            )
        advice = "omit --network and --preprocessing to use those of the model"
        for name, tensor in wanted.items():
            if name not in weights:
                raise BadModel(f"{start} the network: it has no '{name}'; {advice}")
            shapes = [_size(item) for item in (weights[name], tensor)]
            if shapes[0] != shapes[1]:
                raise BadModel(
                    f"{start} the network: '{name}' is {shapes[0]} there and {shapes[1]} here; "
                    f"{advice}"
                )
        for name in weights:
            if name not in wanted:
                raise BadModel(f"{start} the network, which has no '{name}'; {advice}")


def initial_model(model: str, kind: str) -> InitialModel:
    """Read the model from which training starts.

    Args:
        model: Name of a shipped model, path of a model folder, or `owner/name` on the hub.
        kind: `classifier` or `generator`.

    Raises:
        BadModel: If the model is missing, damaged or of another kind.
    """
    source = Path(model) if Path(model).is_dir() else model
    loaded = load_classifier(source) if kind == "classifier" else load_generator(source)
    return InitialModel(model, load_card(find_model(source)), loaded.network.state_dict())


def _last_layer(network: "nn.Module") -> str:
    """Name of the linear layer that outputs the logits."""
    from torch import nn

    layers: list[str] = [
        name for name, part in network.named_modules() if isinstance(part, nn.Linear)
    ]
    if not layers:
        raise BadModel("the network has no linear layer that could be replaced")
    return layers[-1]


def _size(tensor: "Tensor") -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
