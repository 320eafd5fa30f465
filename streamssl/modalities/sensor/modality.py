"""The sensor modality: numeric rows to features and network inputs.

B = events, T = steps, C = channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from streamssl.config.sections import SensorConfig
from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns
from streamssl.modalities.base import Modality, Reading, Windows
from streamssl.modalities.sensor.context import Advance, History, SensorContext, pieces
from streamssl.modalities.sensor.leaky import SQUASH
from streamssl.modalities.sensor.normaliser import Normaliser
from streamssl.scorers.inputs import num_recent


class SensorWindows(Windows):
    """The last rows of each event's key: within +-5, 0 where unseen.

    Args:
        z_LC: Standardised rows, one key after another.
        place_B: Where each event's row is.
        steps: T.
    """

    def __init__(self, z_LC: Float32Array, place_B: IntArray, steps: int) -> None:
        self._shape = (steps, z_LC.shape[1])
        self._first_B = (place_B - steps + 1) * z_LC.shape[1]
        # Rows of a key are neighbours, so a window is one piece of memory.
        self._pieces = pieces(z_LC, steps)

    def __len__(self) -> int:
        """Number of events."""
        return len(self._first_B)

    def __getitem__(self, rows: slice | IntArray) -> Float32Array:
        """`[rows, T, C]` windows."""
        flat = self._pieces[self._first_B[rows]]
        return flat.reshape(len(flat), *self._shape)


class SensorModality(Modality):
    """Context, normaliser and network inputs of numeric channels.

    Args:
        num_channels: C.
        config: The modality's section.
        seed: Seed of the leaky units.
    """

    def __init__(self, *, num_channels: int, config: SensorConfig, seed: int) -> None:
        self.window = config.window
        steps = max(config.window, num_recent(num_channels), 2)
        self.normaliser = Normaliser(num_channels=num_channels)
        self.context = SensorContext(
            num_channels=num_channels, steps=steps, recent=num_recent(num_channels), seed=seed
        )

    @classmethod
    def build(cls, config: SensorConfig, *, num_channels: int, seed: int) -> Self:
        """A modality that has seen nothing."""
        return cls(num_channels=num_channels, config=config, seed=seed)

    @property
    def leaky_CH(self) -> FloatArray:  # noqa: N802 - a shape suffix
        """`[C, H]` input weights of the leaky units."""
        return self.context.leaky.weight_CH

    def read(self, slot_B: IntArray, values_BC: Float32Array) -> Reading:
        """Events in their context; changes nothing."""
        features, history, advance = self.context.read(slot_B, values_BC, self.normaliser)
        return Reading(features, history, advance)

    def windows(self, rows: History) -> Windows:
        """The last rows of each event's key, standardised."""
        return SensorWindows(rows.standardised(SQUASH), rows.place_B, self.window)

    def write(self, advance: Advance) -> None:
        """Move the context on."""
        self.context.write(advance)

    def learn(self, slot_B: IntArray, newest_BC: Float32Array, learn_B: BoolArray) -> None:
        """Move the running statistics on by an epoch's rows that the gate let through."""
        self.normaliser.learn(slot_B[learn_B], newest_BC[learn_B])

    def per_key(self) -> list[KeyColumns]:
        """Every per-key column."""
        return [self.normaliser.columns, self.context.columns]

    def state_dict(self) -> dict[str, Any]:
        """Statistics and contexts."""
        return {"normaliser": self.normaliser.state_dict(), "context": self.context.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.normaliser.load_state_dict(state["normaliser"])
        self.context.load_state_dict(state["context"])
