"""Read a file of a model folder, after checking its hash against the card."""

import hashlib
import stat
from pathlib import Path

from darklens.errors import BadModel
from darklens.hub.card import CalibrationCard, WeightsCard, own_file

__all__ = ["verified_bytes"]


def verified_bytes(folder: Path, named: WeightsCard | CalibrationCard, *, most: int) -> bytes:
    """Bytes of a file listed in a card.

    Args:
        folder: The model folder.
        named: Name and hash of the file.
        most: Largest allowed size [byte].

    Raises:
        BadModel: If the file is missing, larger, a link to somewhere else, or its sha256 is not
            the one in the card.
    """
    path = own_file(folder, named.file)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise BadModel(f"{path} is not a file of at most {most / 1e6:.0f} MB")
        data = path.read_bytes()
    except OSError as error:
        raise BadModel(f"cannot read {path}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != named.sha256:
        raise BadModel(f"{path} is damaged: its sha256 differs from the one in the card")
    return data
