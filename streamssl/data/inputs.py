"""Inputs of the networks: named arrays that have one row a sample.

A sensor's is one window; a transaction's are numbers and codes, a frame's are pixels.

B = events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from streamssl.data.events import Float32Array, IntArray

# The array of inputs that says which key a row is of; networks do not see it.
KEY = "key"

Inputs = dict[str, npt.NDArray[Any]]


class InputSpec(NamedTuple):
    """Of what size one input is.

    Attributes:
        arrays: Name -> (shape of one row, dtype).
        width: Values of one event; batches of wide ones are smaller.
        steps: Events that one input spans.
    """

    arrays: Mapping[str, tuple[tuple[int, ...], npt.DTypeLike]]
    width: int
    steps: int

    @property
    def num_bytes(self) -> int:
        """Bytes of one input."""
        return sum(
            int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in self.arrays.values()
        )


class LazyInputs(Protocol):
    """The inputs of a batch's events, made when they are asked for."""

    def __len__(self) -> int:
        """B."""
        ...

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        """The rows' inputs: finite, bounded."""
        ...

    def for_inference(self, rows: slice) -> Inputs:
        """What `Network.infer` reads of the rows: by default their inputs."""
        return self[rows]

    def blocks(self, rows: slice) -> Float32Array:
        """`[rows, S, P]` means of blocks of each window's rows; by default there are no windows."""
        return np.zeros((len(range(len(self))[rows]), 0, 0), np.float32)


class NoInputs(LazyInputs):
    """What there is to read where there are no networks."""

    def __init__(self, num_events: int) -> None:
        self._num_events = num_events

    def __len__(self) -> int:
        """Number of events."""
        return self._num_events

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        """No array at all, whatever rows are asked for."""
        return {}


def take_inputs(inputs: Mapping[str, Any], rows: Any) -> dict[str, Any]:
    """The rows that an index array, mask or slice picks, of arrays or tensors."""
    return {name: array[rows] for name, array in inputs.items()}


def concat_inputs(tables: Sequence[Inputs]) -> Inputs:
    """The rows of at least one table of inputs after another."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
