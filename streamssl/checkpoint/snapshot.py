"""Nested state as one JSON document and named arrays, and back; no pickle anywhere."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

AnyArray = npt.NDArray[Any]
Arrays = Mapping[str, AnyArray]

# What safetensors holds; little-endian, as every machine that torch runs on.
_DTYPES = frozenset(
    np.dtype(name).newbyteorder("<")
    for name in (
        *("float16", "float32", "float64", "complex64", "bool"),
        *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    )
)
_PLAIN = frozenset({str, int, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State at one moment, ready to be written (from another thread, if need be).

    Attributes:
        document: JSON text of everything but the arrays, which it refers to by name.
        arrays: Contiguous arrays by dotted name.
    """

    document: str
    arrays: Arrays


def snapshot(state: Mapping[str, Any], *, copy: bool = True) -> Snapshot:
    """State as a document and arrays.

    Args:
        state: Nested dicts (keys: text or int), lists and tuples of numpy arrays, torch
            tensors, str, int, float, bool and None. NumPy scalars become Python's.
        copy: False where the state stays untouched until the snapshot is written.

    Raises:
        TypeError: The state holds something else.
    """
    encoder = _Encoder(copy)
    document = encoder.encode(dict(state), ())
    return Snapshot(json.dumps(document, allow_nan=False), encoder.arrays)


def restore(document: Any, arrays: Arrays) -> Any:
    """State again: the inverse of `snapshot`, from the parsed document."""
    if isinstance(document, list):
        return [restore(item, arrays) for item in document]
    if not isinstance(document, dict):
        return document
    tag = next(iter(document), "")
    if tag in _RESTORE:
        return _RESTORE[tag](document, arrays)
    return {key: restore(value, arrays) for key, value in document.items()}


def _restore_tensor(document: dict[str, Any], arrays: Arrays) -> torch.Tensor:
    tensor = torch.from_numpy(arrays[document["$tensor"]])
    return tensor.view(torch.bfloat16) if document.get("bfloat16") else tensor


_RESTORE: dict[str, Callable[[dict[str, Any], Arrays], Any]] = {
    "$array": lambda document, arrays: arrays[document["$array"]],
    "$tensor": _restore_tensor,
    "$float": lambda document, _: float(document["$float"]),
    "$tuple": lambda document, arrays: tuple(restore(document["$tuple"], arrays)),
    "$items": lambda document, arrays: {
        key: restore(value, arrays) for key, value in document["$items"]
    },
}


class _Encoder:
    """Turns state into a document, and collects the arrays that it refers to."""

    def __init__(self, copy: bool) -> None:
        self.arrays: dict[str, AnyArray] = {}
        self._copy = copy

    def encode(self, value: Any, path: tuple[str, ...]) -> Any:
        """A JSON value for `value`; its arrays are collected under dotted names."""
        if type(value) is list and _PLAIN.issuperset(map(type, value)):
            return value  # The table of all keys has one such list a key.
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else {"$float": str(value)}
        if isinstance(value, np.ndarray):
            return {"$array": self._add(value, path)}
        if isinstance(value, torch.Tensor):
            return self._encode_tensor(value, path)
        return self._encode_container(value, path)

    def _encode_container(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return self._encode_dict(value, path)
        if isinstance(value, (list, tuple)):
            items = [self.encode(item, (*path, str(i))) for i, item in enumerate(value)]
            return items if isinstance(value, list) else {"$tuple": items}
        raise TypeError(f"state at {'.'.join(path)} cannot be saved: {type(value).__name__}")

    def _encode_dict(self, value: dict[Any, Any], path: tuple[str, ...]) -> Any:
        for key in value:
            if type(key) not in (str, int):
                raise TypeError(f"key {key!r} at {'.'.join(path)} cannot be saved")
        items = [(key, self.encode(item, (*path, str(key)))) for key, item in value.items()]
        plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
        return dict(items) if plain else {"$items": [list(item) for item in items]}

    def _encode_tensor(self, tensor: torch.Tensor, path: tuple[str, ...]) -> dict[str, Any]:
        tensor = tensor.detach().cpu()
        if tensor.dtype == torch.bfloat16:  # NumPy has no such type: carry its bits.
            return {"$tensor": self._add(tensor.view(torch.int16).numpy(), path), "bfloat16": True}
        return {"$tensor": self._add(tensor.numpy(), path)}

    def _add(self, array: AnyArray, path: tuple[str, ...]) -> str:
        if array.dtype not in _DTYPES:
            raise TypeError(f"array at {'.'.join(path)} cannot be saved: dtype {array.dtype}")
        if self._copy or not array.flags.c_contiguous:
            array = array.copy(order="C")
        name = base = ".".join(path)
        while name in self.arrays or name == "__metadata__":  # {"a.b": x} beside {"a": {"b": y}}
            name = f"{base}#{len(self.arrays)}"
        self.arrays[name] = array
        return name
