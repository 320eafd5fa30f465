"""Reservoir sampling under a byte budget (Vitter 1985, algorithm R).

N = samples offered, B = samples drawn, K = capacity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from streamssl.arithmetic.reservoir import last_writers, random_places
from streamssl.data.events import FloatArray, IntArray
from streamssl.data.inputs import Inputs, InputSpec
from streamssl.learner.replay.base import Policy

TIME_BYTES = 8  # one float64 a sample


class Reservoir(Policy):
    """Every input offered so far is held with the same probability.

    Floats of inputs are held as float16: normalised values lie within about ±5, where the step of
    float16 (0.004) is far below the noise of training, and twice as many samples fit.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held; fewer than one sample's bytes hold nothing.
    """

    def __init__(self, *, spec: InputSpec, max_bytes: int) -> None:
        self._spec = spec
        held = {name: (shape, _held(dtype)) for name, (shape, dtype) in spec.arrays.items()}
        self.sample_bytes = TIME_BYTES + sum(
            int(np.prod(shape)) * dtype.itemsize for shape, dtype in held.values()
        )
        self.capacity = max_bytes // self.sample_bytes
        self.num_seen = 0  # offered since the start, or since ageing last made room
        self._num_held = 0
        # Pages are only taken from the system when they are written: an unused budget is free.
        self._inputs = {
            name: np.zeros((self.capacity, *shape), dtype) for name, (shape, dtype) in held.items()
        }
        self._event_time = np.zeros(self.capacity)

    def __len__(self) -> int:
        """Number of samples held."""
        return self._num_held

    @property
    def num_bytes(self) -> int:
        """Bytes of the samples held."""
        return self._num_held * self.sample_bytes

    def add(self, inputs: Inputs, event_time_N: FloatArray, generator: np.random.Generator) -> None:
        """Offer inputs; each takes an empty place, or with probability K/seen a random one."""
        if len(event_time_N) == 0 or self.capacity == 0:
            return
        place_N = self._places(len(event_time_N), generator)
        chosen: Any = last_writers(place_N, self.capacity)
        if len(chosen) == len(place_N):  # A slice copies nothing.
            chosen = slice(None)
        for name, held in self._inputs.items():
            held[place_N[chosen]] = _halved(inputs[name][chosen], held.dtype)
        self._event_time[place_N[chosen]] = event_time_N[chosen]
        self.num_seen += len(event_time_N)
        self._num_held = min(self._num_held + len(event_time_N), self.capacity)

    def expire(self, oldest_s: float) -> None:
        """Drop samples of an earlier event time; what stays is a fair sample of the shorter past.

        Newer ones are held more often until the places that came free are filled again.
        """
        keep = np.flatnonzero(self._event_time[: self._num_held] >= oldest_s)
        if len(keep) == self._num_held:
            return
        # The past that the survivors stand for shrinks in the proportion in which they did.
        self.num_seen = round(self.num_seen * len(keep) / self._num_held)
        for held in self._inputs.values():
            held[: len(keep)] = held[keep]
        self._event_time[: len(keep)] = self._event_time[keep]
        self._num_held = len(keep)

    def sample(self, num_samples: int, generator: np.random.Generator) -> tuple[Inputs, FloatArray]:
        """Draw with replacement; an empty reservoir gives an empty batch."""
        count = num_samples if self._num_held else 0
        rows = generator.integers(0, max(self._num_held, 1), count)
        drawn = {
            name: held[rows].astype(self._spec.arrays[name][1])
            for name, held in self._inputs.items()
        }
        return drawn, self._event_time[rows]

    def state_dict(self) -> dict[str, Any]:
        """The samples held and the count that their probability rests on."""
        return {
            "inputs": {n: held[: self._num_held].copy() for n, held in self._inputs.items()},
            "event_time": self._event_time[: self._num_held].copy(),
            "num_seen": self.num_seen,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the samples; under a smaller budget, those that still fit."""
        self._num_held = min(len(state["event_time"]), self.capacity)
        for name, held in self._inputs.items():
            held[: self._num_held] = state["inputs"][name][: self._num_held]
        self._event_time[: self._num_held] = state["event_time"][: self._num_held]
        self.num_seen = int(state["num_seen"])

    def _places(self, count: int, generator: np.random.Generator) -> IntArray:
        """A place for each sample offered; `capacity` or above means not taken."""
        draw_N = random_places(self.num_seen, count, generator)
        free_N = self._num_held + np.arange(count)
        return np.where(free_N < self.capacity, free_N, draw_N)


def _held(dtype: Any) -> np.dtype[Any]:
    """Float32 is held as float16; codes and pixels as they are."""
    return np.dtype(np.float16 if np.dtype(dtype) == np.float32 else dtype)


def _halved(rows: Any, dtype: np.dtype[Any]) -> Any:
    # torch converts to half precision several times as fast as NumPy.
    if rows.dtype == dtype:
        return rows
    return torch.from_numpy(np.ascontiguousarray(rows)).half().numpy()
