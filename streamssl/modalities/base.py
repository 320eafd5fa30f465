"""What a modality is: from the events of a kind of stream to what scorers and networks read.

B = events, T = steps, C = channels, H = leaky units.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, Self

from streamssl.config.sections import SensorConfig
from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns
from streamssl.scorers.base import Features


class Windows(Protocol):
    """What the networks read of a batch, made when it is asked for; an array is one too."""

    def __len__(self) -> int:
        """B."""
        ...

    def __getitem__(self, rows: slice | IntArray) -> Float32Array:
        """`[rows, T, C]` windows: standardised, finite, bounded."""
        ...


class Reading(NamedTuple):
    """Events in their context.

    Attributes:
        features: For the scorers.
        rows: What `Modality.windows` makes the networks' windows from.
        advance: The context after the events, for `Modality.write`.
    """

    features: Features
    rows: Any
    advance: Any


class Modality(Protocol):
    """Per-key context and running statistics. `read` changes nothing."""

    @classmethod
    def build(cls, config: SensorConfig, *, num_channels: int, seed: int) -> Self:
        """A modality that has seen nothing."""
        ...

    @property
    def leaky_CH(self) -> FloatArray:  # noqa: N802 - a shape suffix
        """`[C, H]` input weights of the leaky units."""
        ...

    def read(self, slot_B: IntArray, values_BC: Float32Array) -> Reading:
        """Events (each key's in order) in their context."""
        ...

    def windows(self, rows: Any) -> Windows:
        """What the networks read of the events, from `Reading.rows`."""
        ...

    def write(self, advance: Any) -> None:
        """Move the context on to `Reading.advance`."""
        ...

    def learn(self, slot_B: IntArray, newest_BC: Float32Array, learn_B: BoolArray) -> None:
        """Move the running statistics on by an epoch's rows that the gate let through."""
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
