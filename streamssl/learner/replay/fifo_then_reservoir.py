"""Short-term and long-term memory: what leaves the newest samples is offered to a reservoir."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamssl.data.events import FloatArray
from streamssl.data.inputs import Inputs, InputSpec, concat_inputs
from streamssl.learner.replay.base import Policy
from streamssl.learner.replay.fifo import Fifo
from streamssl.learner.replay.reservoir import Reservoir

# docs/research-log.md, "Constants of the arithmetic"
RECENT_SHARE = 0.5


class FifoThenReservoir(Policy):
    """Half of the bytes hold the newest inputs, half a uniform sample of all before them.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held, by both together.
    """

    def __init__(self, *, spec: InputSpec, max_bytes: int) -> None:
        recent_bytes = int(RECENT_SHARE * max_bytes)
        self.recent = Fifo(spec=spec, max_bytes=recent_bytes)
        self.past = Reservoir(spec=spec, max_bytes=max_bytes - recent_bytes)

    def __len__(self) -> int:
        """Number of samples held."""
        return len(self.recent) + len(self.past)

    @property
    def num_bytes(self) -> int:
        """Bytes of the samples held."""
        return self.recent.num_bytes + self.past.num_bytes

    def add(self, inputs: Inputs, event_time_N: FloatArray, generator: np.random.Generator) -> None:
        """Hold inputs; those that are the newest no longer are offered to the reservoir."""
        self.past.add(*self.recent.leaving(inputs, event_time_N), generator)
        self.recent.add(inputs, event_time_N, generator)

    def expire(self, oldest_s: float) -> None:
        """Drop samples of an earlier event time, of either memory."""
        self.recent.expire(oldest_s)
        self.past.expire(oldest_s)

    def sample(self, num_samples: int, generator: np.random.Generator) -> tuple[Inputs, FloatArray]:
        """Draw with replacement, from each memory by its share of what is held."""
        share = len(self.recent) / max(len(self), 1)
        num_recent = int(generator.binomial(num_samples, share))
        recent, recent_time = self.recent.sample(num_recent, generator)
        past, past_time = self.past.sample(num_samples - num_recent, generator)
        return concat_inputs([recent, past]), np.concatenate([recent_time, past_time])

    def state_dict(self) -> dict[str, Any]:
        """Both memories."""
        return {"recent": self.recent.state_dict(), "past": self.past.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over both; under a smaller budget, what fits of each."""
        self.recent.load_state_dict(state["recent"])
        self.past.load_state_dict(state["past"])
