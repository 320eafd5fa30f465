"""The samples that a policy holds: arrays of one row a sample, under a byte budget.

N = samples, K = capacity.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from streamssl.data.events import FloatArray, IntArray
from streamssl.data.inputs import Inputs, InputSpec

TIME_BYTES = 8  # one float64 a sample


class SampleTable:
    """Inputs and event times in numbered places.

    Floats of inputs are held as float16: normalised values lie within about ±5, where the step of
    float16 (0.004) is far below the noise of training, and twice as many samples fit.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held; fewer than one sample's bytes hold nothing.
        extra_bytes: What a policy holds of a sample beside.
    """

    def __init__(self, *, spec: InputSpec, max_bytes: int, extra_bytes: int = 0) -> None:
        self._spec = spec
        held = {name: (shape, _held(dtype)) for name, (shape, dtype) in spec.arrays.items()}
        self.sample_bytes = (
            TIME_BYTES
            + extra_bytes
            + sum(int(np.prod(shape)) * dtype.itemsize for shape, dtype in held.values())
        )
        self.capacity = max_bytes // self.sample_bytes
        self.num_held = 0
        # Pages are only taken from the system when they are written: an unused budget is free.
        self._inputs = {
            name: np.zeros((self.capacity, *shape), dtype) for name, (shape, dtype) in held.items()
        }
        self._event_time = np.zeros(self.capacity)

    @property
    def event_time(self) -> FloatArray:
        """`[held]` event times, a view."""
        return self._event_time[: self.num_held]

    def put(self, place_N: IntArray, inputs: Inputs, event_time_N: FloatArray, rows: Any) -> None:
        """Write the chosen rows of inputs into places; the last free ones come to be held."""
        for name, held in self._inputs.items():
            held[place_N] = _halved(inputs[name][rows], held.dtype)
        self._event_time[place_N] = event_time_N[rows]
        self.num_held = max(self.num_held, int(place_N.max(initial=-1)) + 1)

    def take(self, places: IntArray) -> tuple[Inputs, FloatArray]:
        """Inputs and event times at places, of the types of the spec."""
        inputs = {
            name: _widened(held[places], self._spec.arrays[name][1])
            for name, held in self._inputs.items()
        }
        return inputs, self._event_time[places]

    def keep(self, places: IntArray) -> None:
        """Hold these places alone, in this order, from the first place on."""
        for held in self._inputs.values():
            held[: len(places)] = held[places]
        self._event_time[: len(places)] = self._event_time[places]
        self.num_held = len(places)

    def state_dict(self, places: Any = slice(None)) -> dict[str, Any]:
        """Copies of what is held, in the order of `places`."""
        inputs = {name: held[: self.num_held][places] for name, held in self._inputs.items()}
        return {
            "inputs": {name: array.copy() for name, array in inputs.items()},
            "event_time": self.event_time[places].copy(),
        }

    def load_state_dict(self, state: Mapping[str, Any], rows: slice | None = None) -> None:
        """Take over the rows chosen; by default the first ones that fit."""
        rows = rows or slice(0, self.capacity)
        event_time = state["event_time"][rows]
        self.num_held = len(event_time)
        for name, held in self._inputs.items():
            held[: self.num_held] = state["inputs"][name][rows]
        self._event_time[: self.num_held] = event_time


def _held(dtype: Any) -> np.dtype[Any]:
    """Float32 is held as float16; codes and pixels as they are."""
    return np.dtype(np.float16 if np.dtype(dtype) == np.float32 else dtype)


# torch converts to and from half precision several times as fast as NumPy.


def _halved(rows: Any, dtype: np.dtype[Any]) -> Any:
    if rows.dtype == dtype:
        return rows
    return torch.from_numpy(np.ascontiguousarray(rows)).half().numpy()


def _widened(rows: Any, dtype: Any) -> Any:
    if rows.dtype == dtype:
        return rows
    return torch.from_numpy(rows).float().numpy()
