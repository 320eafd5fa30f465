"""First in, first out: the newest samples under a byte budget.

N = samples offered, K = capacity.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamssl.data.events import FloatArray, IntArray
from streamssl.data.inputs import Inputs, InputSpec, concat_inputs, take_inputs
from streamssl.learner.replay.base import TabledPolicy


class Fifo(TabledPolicy):
    """The last K inputs offered: it follows a drift at once and forgets what does not come back.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held; fewer than one sample's bytes hold nothing.
    """

    def __init__(self, *, spec: InputSpec, max_bytes: int) -> None:
        super().__init__(spec=spec, max_bytes=max_bytes)
        self._next = 0  # place of the next sample; where all are taken that of the oldest

    def add(self, inputs: Inputs, event_time_N: FloatArray, generator: np.random.Generator) -> None:
        """Hold inputs, the oldest ones held leave."""
        del generator
        kept = min(len(event_time_N), self.capacity)
        if kept:
            place_N = (self._next + np.arange(kept)) % self.capacity
            self.table.put(place_N, inputs, event_time_N, slice(len(event_time_N) - kept, None))
            self._next = int(place_N[-1] + 1) % self.capacity

    def leaving(self, inputs: Inputs, event_time_N: FloatArray) -> tuple[Inputs, FloatArray]:
        """What would be held no longer if these inputs were added, oldest first; changes nothing.

        Inputs offered that would not fit beside the later ones are among it.
        """
        kept = min(len(event_time_N), self.capacity)
        old, old_time = self.table.take(self._by_age()[: max(len(self) + kept - self.capacity, 0)])
        never = slice(0, len(event_time_N) - kept)
        return (
            concat_inputs([old, take_inputs(inputs, never)]),
            np.concatenate([old_time, event_time_N[never]]),
        )

    def expire(self, oldest_s: float) -> None:
        """Drop samples of an earlier event time."""
        places = self._by_age()
        keep = places[self.table.event_time[places] >= oldest_s]
        if len(keep) < len(places):
            self.table.keep(keep)
            self._next = len(keep) % self.capacity

    def sample(self, num_samples: int, generator: np.random.Generator) -> tuple[Inputs, FloatArray]:
        """Draw with replacement, by age: where a sample lies in memory changes no draw."""
        draw = generator.integers(0, max(len(self), 1), num_samples if len(self) else 0)
        return self.table.take(self._by_age()[draw])

    def state_dict(self) -> dict[str, Any]:
        """The samples held, oldest first."""
        return self.table.state_dict(self._by_age())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over the samples; under a smaller budget, the newest that fit."""
        count = len(state["event_time"])
        self.table.load_state_dict(state, slice(max(count - self.capacity, 0), None))
        self._next = len(self) % max(self.capacity, 1)

    def _by_age(self) -> IntArray:
        """The places held, oldest first."""
        return (self._next - len(self) + np.arange(len(self))) % max(self.capacity, 1)
