"""Call a server from Python, with nothing but the standard library, NumPy and pandas.

from darklens.serve import Client

client = Client("http://127.0.0.1:7860")
table = client.classify(["lens.fits", "more.zip"])     # as darklens predict
image = client.simulate(einstein_radius=1.4, seed=3)   # (1, 150, 150)
"""

import io
import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from jaxtyping import Float32, Num, Shaped

from darklens.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Client"]

Image = str | Path | np.ndarray[Any, np.dtype[Any]]


class Client:
    """The HTTP API of a server.

    Args:
        url: Address of the server.
        timeout: Longest wait for an answer [s].
    """

    def __init__(self, url: str = "http://127.0.0.1:7860", *, timeout: float = 300) -> None:
        self._url, self._timeout = url.rstrip("/"), timeout

    def __repr__(self) -> str:
        return f"Client({self._url!r})"

    def models(self) -> list[dict[str, Any]]:
        """Cards of the models.

        Raises:
            BadInput: If the server cannot be reached.
        """
        found: list[dict[str, Any]] = json.loads(self._get("/api/models"))["models"]
        return found

    def classify(self, images: Image | Sequence[Image], **fields: Any) -> "pd.DataFrame":
        """The table of `darklens predict`.

        Args:
            images: Files, zip archives, and arrays (h, w) or (c, h, w).
            **fields: `model`, `coverage`, `extension`.

        Raises:
            BadInput: If no image can be classified, or the server cannot be reached.
        """
        import pandas as pd

        many = [images] if isinstance(images, str | Path | np.ndarray) else images
        files = [_file(image, number) for number, image in enumerate(many)]
        return pd.read_parquet(
            io.BytesIO(self._send("/api/classify", files, fields | {"format": "parquet"}))
        )

    def fit(self, image: Image, **fields: Any) -> dict[str, Any]:
        """The smooth lens of one image: the message `Fitted` as plain values.

        Args:
            image: A file, or an array (h, w).
            **fields: `preset`, `pixel_scale`, `size`, `psf_fwhm`.

        Raises:
            BadInput: If the image cannot be fitted, or the server cannot be reached.
        """
        found: dict[str, Any] = json.loads(self._send("/api/fit", [_file(image, 0)], fields))
        return found

    def simulate(self, **settings: Any) -> Num[np.ndarray, "1 h w"]:
        """One simulated lens.

        Args:
            **settings: Settings of `darklens.serve.LensSettings`.

        Raises:
            BadInput: If a setting is not valid, or the server cannot be reached.
        """
        content = self._post("/api/simulate", {"settings": settings, "format": "npy"})
        image: np.ndarray[Any, np.dtype[Any]] = np.load(io.BytesIO(content), allow_pickle=False)
        return image

    def generate(self, count: int = 8, **options: Any) -> Float32[np.ndarray, "n h w"]:
        """New lenses from a generator.

        Args:
            count: Number of images.
            **options: `model`, `label`, `start`, `steps`, `guidance`, `seed`.

        Raises:
            BadInput: If an option is not valid, or the server cannot be reached.
        """
        from darklens.serve.planes import array_of, received_plane

        found = json.loads(self._post("/api/generate", {"count": count, **options}))
        return np.stack([array_of(received_plane(plane)) for plane in found["images"]])

    def _get(self, path: str) -> bytes:
        return self._call(urllib.request.Request(self._url + path))

    def _post(self, path: str, content: Mapping[str, Any]) -> bytes:
        body = json.dumps(content).encode("utf-8")
        headers = {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(self._url + path, body, headers))

    def _send(self, path: str, files: Sequence[tuple[str, bytes]], fields: Any) -> bytes:
        """Send files and fields as a form."""
        mark = uuid4().hex
        parts = [
            f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
            for name, value in fields.items()
            if value is not None
        ]
        for name, content in files:
            quoted = (
                name.replace("\\", "%5C").replace('"', "%22").replace("\r", "").replace("\n", "")
            )
            head = f'Content-Disposition: form-data; name="files"; filename="{quoted}"\r\n\r\n'
            parts.append(head.encode("utf-8", "replace") + content)
        between = f"--{mark}\r\n".encode()
        body = b"".join(between + part + b"\r\n" for part in parts) + f"--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}"}
        return self._call(urllib.request.Request(self._url + path, body, headers))

    def _call(self, request: urllib.request.Request) -> bytes:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            raise BadInput(_reason(error)) from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise BadInput(f"{self._url} cannot be reached: {reason}") from None


def _file(image: Image, number: int) -> tuple[str, bytes]:
    """Name and content of an image to send."""
    if isinstance(image, str | Path):
        path = Path(image)
        try:
            return path.name, path.read_bytes()
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    return f"{number}.npy", _npy(image)


def _npy(image: Shaped[np.ndarray, "..."]) -> bytes:
    memory = io.BytesIO()
    np.save(memory, image, allow_pickle=False)
    return memory.getvalue()


def _reason(error: urllib.error.HTTPError) -> str:
    """The server's own words, or the status if it has none."""
    try:
        return str(json.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"the server answers {error.code} {error.reason}"
