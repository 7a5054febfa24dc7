"""From the descriptions that a network of lenses and masses makes to their expected images.

The network learned how the numbers of a description are distributed; here they become a lens, whose
image the simulator's own renderer makes. The card names the preset of the smooth lens, telescope
and sky, or holds its content; it cannot name a file.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from darklens.errors import BadModel, BadPreset

if TYPE_CHECKING:  # the physics is imported on first use
    from darklens.modelling import LensDescriber

__all__ = ["DESCRIBED", "DescribedImages", "lens_describer"]

DESCRIBED = "lens_and_masses"
"""Name of the network whose output are descriptions."""


def lens_describer(network: Mapping[str, Any]) -> "LensDescriber":
    """What describes the lenses of a network's preset.

    Args:
        network: Complete description of a network of lenses and masses.

    Raises:
        BadModel: If there is no such preset, it cannot be described, or the network does not fit
            it.
    """
    from darklens.modelling import LensDescriber
    from darklens.simulation import load_preset, parse_preset, preset_names

    given = network["preset"]
    if not isinstance(given, Mapping) and str(given) not in preset_names():
        names = ", ".join(preset_names())
        raise BadModel(f"network: preset must be the whole content of one, or a name of {names}")
    try:
        preset = parse_preset(given) if isinstance(given, Mapping) else load_preset(str(given))
        describer = LensDescriber(preset, network["masses"])
    except BadPreset as error:
        raise BadModel(f"network: {error}") from None
    if len(describer.coordinates) != network["coordinates"]:
        raise BadModel(
            f"network: coordinates must be {len(describer.coordinates)} for the preset "
            f"{preset.name}: {', '.join(describer.coordinates.names)}"
        )
    if preset.grid.shape != (network["size"], network["size"]):
        rows, columns = preset.grid.shape
        raise BadModel(f"network: images of the preset {preset.name} are {rows} x {columns} pixels")
    return describer


class DescribedImages:
    """The images of descriptions; can be pickled.

    Args:
        network: Complete description of a network of lenses and masses.

    Raises:
        BadModel: As for `lens_describer`.
    """

    def __init__(self, network: Mapping[str, Any]) -> None:
        self._describer = lens_describer(network)

    def __call__(
        self, descriptions: Float32[np.ndarray, "n 1 1 d"]
    ) -> Float32[np.ndarray, "n 1 h w"]:
        """Expected counts of descriptions (n, 1, 1, numbers)."""
        rows = descriptions[:, 0, 0].astype(np.float64)
        return np.stack([self._describer.image(row)[np.newaxis] for row in rows])
