"""Reservoir sampling under a byte budget (Vitter 1985, algorithm R).

N = samples offered, K = capacity.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamssl.arithmetic.reservoir import last_writers, random_places
from streamssl.data.events import FloatArray, IntArray
from streamssl.data.inputs import Inputs, InputSpec
from streamssl.learner.replay.base import TabledPolicy


class Reservoir(TabledPolicy):
    """Every input offered so far is held with the same probability.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held; fewer than one sample's bytes hold nothing.
    """

    def __init__(self, *, spec: InputSpec, max_bytes: int) -> None:
        super().__init__(spec=spec, max_bytes=max_bytes)
        self.num_seen = 0  # offered since the start, or since ageing last made room

    def add(self, inputs: Inputs, event_time_N: FloatArray, generator: np.random.Generator) -> None:
        """Offer inputs; each takes an empty place, or with probability K/seen a random one."""
        if len(event_time_N) == 0 or self.capacity == 0:
            return
        place_N = self._places(len(event_time_N), generator)
        chosen: Any = last_writers(place_N, self.capacity)
        if len(chosen) == len(place_N):  # A slice copies nothing.
            chosen = slice(None)
        self.table.put(place_N[chosen], inputs, event_time_N, chosen)
        self.num_seen += len(event_time_N)

    def expire(self, oldest_s: float) -> None:
        """Drop samples of an earlier event time; what stays is a fair sample of the shorter past.

        Newer ones are held more often until the places that came free are filled again.
        """
        keep = np.flatnonzero(self.table.event_time >= oldest_s)
        if len(keep) == len(self):
            return
        # The past that the survivors stand for shrinks in the proportion in which they did.
        self.num_seen = round(self.num_seen * len(keep) / len(self))
        self.table.keep(keep)

    def state_dict(self) -> dict[str, Any]:
        """The samples held and the count that their probability rests on."""
        return {**self.table.state_dict(), "num_seen": self.num_seen}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the samples; under a smaller budget, those that still fit."""
        self.table.load_state_dict(state)
        self.num_seen = int(state["num_seen"])

    def _places(self, count: int, generator: np.random.Generator) -> IntArray:
        """A place for each sample offered; `capacity` or above means not taken."""
        draw_N = random_places(self.num_seen, count, generator)
        free_N = len(self) + np.arange(count)
        return np.where(free_N < self.capacity, free_N, draw_N)
