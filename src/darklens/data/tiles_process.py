"""The process that decodes tile-compressed FITS images for `darklens.data.tiles`.

It is run as a script and imports nothing of darklens, so that it starts fast. On standard input
come requests, a line of JSON with the number of bytes and then a FITS file of that many bytes,
whose first extension is decoded; on standard output go a line of JSON with shape and type, or
an error, and then the pixels.
"""

import io
import json
import os
import sys

_MEMORY = 4 * 2**30


def _limit_memory() -> None:
    """Keep a damaged header from taking all memory, where the system knows such a limit."""
    try:
        import resource
    except ImportError:
        return
    for name, most in (("RLIMIT_AS", _MEMORY), ("RLIMIT_CORE", 0)):
        try:
            kind = getattr(resource, name)
            hard = resource.getrlimit(kind)[1]
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (limit, hard))
        except (AttributeError, OSError, ValueError):
            continue


def main() -> None:
    """Answer requests until standard input ends."""
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library may print
    _limit_memory()
    import warnings

    import numpy as np
    from astropy.io import fits

    warnings.simplefilter("ignore")
    answers.write(b"ready\n")
    answers.flush()
    for line in requests:
        content = requests.read(json.loads(line)["bytes"])
        try:
            with fits.open(io.BytesIO(content), memmap=False) as extensions:
                pixels = np.ascontiguousarray(extensions[1].data)
            told = {"shape": pixels.shape, "dtype": pixels.dtype.str}
            data = pixels.tobytes()
        except Exception as error:  # noqa: BLE001  the library raises anything
            told, data = {"error": type(error).__name__}, b""
        answers.write(json.dumps(told).encode() + b"\n" + data)
        answers.flush()


if __name__ == "__main__":
    main()
