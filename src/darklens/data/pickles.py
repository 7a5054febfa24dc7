"""Pickled arrays, as old `.npy` files hold them, read without running anything from the file.

The unpickler knows five names, and none of them is looked up in numpy: each is a plain stand-in of
this module that only remembers what the pickle says. The arrays are then built here from
remembered bytes, types and shapes, after they are checked. Every other name is refused.
"""

import math
import pickle
import re
from typing import IO, Any

import numpy as np

__all__ = ["read_pickled_array"]

_TYPE_CODE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")


def read_pickled_array(file: IO[bytes]) -> Any:
    """What one pickle holds: numbers, lists, tuples, texts and numpy arrays of them.

    Args:
        file: The file, at the start of the pickle.

    Returns:
        The content; arrays of numbers as numpy arrays, arrays of objects as lists.

    Raises:
        Exception: Of any kind, if the pickle is damaged or holds anything else.
    """
    return _built(_ArrayUnpickler(file).load(), depth=0)


class _DType:
    """Stands in for `numpy.dtype` in a pickle."""

    def __init__(self, code: str, *_: Any) -> None:
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[2] is not None or state[3] is not None:
            raise pickle.UnpicklingError("an array of records")
        self.order = state[1]

    def numpy(self) -> np.dtype[Any]:
        code = f"{self.order}{self.code}"
        if not _TYPE_CODE.fullmatch(code):
            raise pickle.UnpicklingError(f"an array of type {code[:20]}")
        return np.dtype(code)


class _NDArray:
    """Stands in for `numpy.ndarray` in a pickle."""

    state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def built(self, depth: int) -> Any:
        _, shape, dtype, fortran, data = self.state
        if dtype.code.startswith("O"):
            return [_built(item, depth + 1) for item in data]
        return _from_bytes(data, dtype, shape, "F" if fortran else "C")


class _Scalar:
    """Stands in for a numpy number in a pickle."""

    def __init__(self, dtype: _DType, data: bytes) -> None:
        self.dtype = dtype
        self.data = data

    def built(self) -> Any:
        return _from_bytes(self.data, self.dtype, (), "C").item()


def _reconstruct(kind: type, *_: Any) -> _NDArray:
    if kind is not _NDArray:
        raise pickle.UnpicklingError("a kind of array that is not numpy's own")
    return _NDArray()


_KNOWN = {
    ("numpy", "dtype"): _DType,
    ("numpy", "ndarray"): _NDArray,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _Scalar,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "scalar"): _Scalar,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickler that finds nothing but the stand-ins."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def _from_bytes(
    data: bytes, dtype: _DType, shape: tuple[int, ...], order: Any
) -> np.ndarray[Any, np.dtype[Any]]:
    kind = dtype.numpy()
    if not isinstance(data, bytes) or len(data) != math.prod(shape) * kind.itemsize:
        raise pickle.UnpicklingError("an array whose size does not fit its shape")
    return np.frombuffer(data, dtype=kind).reshape(shape, order=order).copy()


def _built(value: Any, depth: int) -> Any:
    if depth > 8:
        raise pickle.UnpicklingError("arrays nested too deeply")
    if isinstance(value, _NDArray):
        return value.built(depth)
    if isinstance(value, _Scalar):
        return value.built()
    if isinstance(value, list | tuple):
        return [_built(item, depth + 1) for item in value]
    return value
