"""What every replay policy promises.

N = samples offered, B = samples drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from streamssl.data.events import FloatArray
from streamssl.data.inputs import Inputs, InputSpec
from streamssl.learner.replay.table import SampleTable


class Policy(ABC):
    """A bounded memory of inputs and of their event times.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held.
    """

    @abstractmethod
    def __init__(self, *, spec: InputSpec, max_bytes: int) -> None: ...

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples held."""

    @property
    @abstractmethod
    def num_bytes(self) -> int:
        """Bytes of the samples held, never above `max_bytes`."""

    @abstractmethod
    def add(self, inputs: Inputs, event_time_N: FloatArray, generator: np.random.Generator) -> None:
        """Offer inputs, oldest first; which ones stay is the policy's choice."""

    @abstractmethod
    def expire(self, oldest_s: float) -> None:
        """Drop samples of an earlier event time."""

    @abstractmethod
    def sample(self, num_samples: int, generator: np.random.Generator) -> tuple[Inputs, FloatArray]:
        """Draw with replacement: inputs and event times `[B]`; none while empty."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on bit for bit."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state; the bytes allowed are those of the constructor."""


class TabledPolicy(Policy):
    """A policy that holds its samples in one table and draws all of them alike.

    Args:
        spec: Of one input.
        max_bytes: Most bytes held.
        extra_bytes: What the policy holds of a sample beside the table.
    """

    def __init__(self, *, spec: InputSpec, max_bytes: int, extra_bytes: int = 0) -> None:
        self.table = SampleTable(spec=spec, max_bytes=max_bytes, extra_bytes=extra_bytes)

    @property
    def capacity(self) -> int:
        """Most samples held."""
        return self.table.capacity

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return self.table.sample_bytes

    def __len__(self) -> int:
        """Number of samples held."""
        return self.table.num_held

    @property
    def num_bytes(self) -> int:
        """Bytes of the samples held."""
        return len(self) * self.sample_bytes

    def sample(self, num_samples: int, generator: np.random.Generator) -> tuple[Inputs, FloatArray]:
        """Draw with replacement; an empty memory gives an empty batch."""
        count = num_samples if len(self) else 0
        return self.table.take(generator.integers(0, max(len(self), 1), count))
