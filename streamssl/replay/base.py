"""What every replay policy promises.

N = samples offered, B = samples drawn, T = steps, C = channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from streamssl.events import Float32Array, FloatArray


class Policy(ABC):
    """A bounded memory of windows and of their event times.

    Args:
        shape: `(T, C)` of one window.
        max_bytes: Most bytes held.
    """

    @abstractmethod
    def __init__(self, *, shape: tuple[int, int], max_bytes: int) -> None: ...

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples held."""

    @property
    @abstractmethod
    def num_bytes(self) -> int:
        """Bytes of the samples held, never above `max_bytes`."""

    @abstractmethod
    def add(
        self, x_NTC: Float32Array, event_time_N: FloatArray, generator: np.random.Generator
    ) -> None:
        """Offer windows, oldest first; which ones stay is the policy's choice."""

    @abstractmethod
    def expire(self, oldest_s: float) -> None:
        """Drop samples of an earlier event time."""

    @abstractmethod
    def sample(
        self, num_samples: int, generator: np.random.Generator
    ) -> tuple[Float32Array, FloatArray]:
        """Draw with replacement: windows `[B, T, C]` and event times `[B]`; none while empty."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on bit for bit."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state; the bytes allowed are those of the constructor."""
