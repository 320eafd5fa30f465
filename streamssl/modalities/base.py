"""What a modality is: from the events of a kind of stream to what scorers and networks read.

B = events, T = steps, C = channels, H = leaky units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self

from streamssl.config.sections import SensorConfig
from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns
from streamssl.scorers.base import Features


class Modality(Protocol):
    """Per-key context and running statistics. `read` and `network_input` change nothing."""

    @classmethod
    def build(cls, config: SensorConfig, *, num_channels: int, seed: int) -> Self:
        """A modality that has seen nothing."""
        ...

    @property
    def leaky_CH(self) -> FloatArray:  # noqa: N802 - a shape suffix
        """`[C, H]` input weights of the leaky units."""
        ...

    def read(self, slot_B: IntArray, values_BC: Float32Array) -> tuple[Features, Any]:
        """Events (each key's in order) in their context, and the context after them."""
        ...

    def write(self, advance: Any) -> None:
        """Move the context on to what `read` returned."""
        ...

    def learn(self, slot_B: IntArray, newest_BC: Float32Array, learn_B: BoolArray) -> None:
        """Move the running statistics on by an epoch's rows that the gate let through."""
        ...

    def network_input(self, features: Features) -> Float32Array:
        """`[B, T, C]` what the networks read: finite and bounded."""
        ...

    def per_key(self) -> list[KeyColumns]:
        """Every per-key column."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Statistics and contexts."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        ...
