"""Loads the compiled library, where there is one, and hands columns to it.

Rows that a kernel reads and writes are checked here: it trusts its pointers.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from streamssl.native.build import library_path

Array = npt.NDArray[Any]
_NO_BYTES = ctypes.c_char * 0


@cache
def load() -> ctypes.CDLL | str:
    """The library of these very sources, or why there is none."""
    path = library_path()
    if not path.exists():
        return f"{path.name} was not built"
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        return f"{path.name} cannot be loaded: {error}"


def loops() -> str:
    """Who does the sequential loops, for an operator: `compiled`, or NumPy and why."""
    found = load()
    return f"NumPy, slower: {found}" if isinstance(found, str) else "compiled"


def kernel(name: str, argument_types: tuple[Any, ...]) -> Any:
    """A function of the library, None without one; it returns 0, or 1 for an index outside.

    Args:
        name: As its source exports it.
        argument_types: Of `ctypes`.
    """
    found = load()
    if isinstance(found, str):
        return None
    function = found[name]
    function.argtypes, function.restype = argument_types, ctypes.c_int32
    return function


def pointer(array: Array, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
    """Where an array lies, which must be contiguous and just so, as an argument of a kernel.

    Raises:
        ValueError: It has another type, shape or layout.
    """
    if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
        wanted = f"contiguous {np.dtype(dtype)} {shape}"
        raise ValueError(f"{array.dtype} {array.shape} where a kernel wants {wanted}")
    # A fifth of the time of `array.ctypes`, which counts in batches of one event.
    if not array.flags.writeable:
        return array.ctypes.data
    return _NO_BYTES.from_buffer(array.data)
