"""What the sensors' core sees of an event, and what it measured of it.

B = events, N = recent rows, C = channels, H = leaky units, F = features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamssl.data.columns import Columns
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.modalities.sensor.origins import OriginsOfBatch
from streamssl.scorers.base import Measured

# docs/research-log.md, "Constants of the arithmetic"
SMALLEST_SIGNAL = 0.5  # deviations under which all are the same
FAR_OFF = 6.0  # deviations at which a reading stands out by itself
FARTHEST_RESIDUAL = 15.0  # deviations


@dataclass(frozen=True, slots=True)
class Signals(Columns):
    """How far a batch's rows are from what their keys' channels usually do.

    Attributes:
        size_B2: Largest distance from the nearest mode, max_c |x - m| / s, and largest quietness:
            how much calmer than usual a channel has been, in deviations, 0 if livelier.
        channel_B2: The channels that have them.
    """

    size_B2: FloatArray
    channel_B2: IntArray


@dataclass(frozen=True, slots=True)
class Features(Columns):
    """Events in their context.

    Attributes:
        slot_B: Slot of each event's key.
        age_B: Events of the key before this one.
        values_BC: The values as they came, about their origins, NaN = missing.
        recent_BNC: The key's last N rows, oldest first, the channel's last value carried
            forward where one is missing; NaN where a channel has not been seen yet.
        ema_BF: Moving averages of the channels, slow then fast; NaN like the rows.
        leaky_BH: Leaky random units of the normalised rows.
        center_BC: Running mean of the key's channels (of the past epochs).
        scale_BC: Running standard deviation of the same rows, > 0.
        origins: Of the batch's keys.
        joined_B: Whether the key joined a mature fleet.
    """

    slot_B: IntArray
    age_B: IntArray
    values_BC: FloatArray
    recent_BNC: Float32Array
    ema_BF: Float32Array
    leaky_BH: Float32Array
    center_BC: FloatArray
    scale_BC: FloatArray
    origins: OriginsOfBatch
    joined_B: BoolArray

    def __len__(self) -> int:
        """Number of events."""
        return len(self.slot_B)


@dataclass(frozen=True, slots=True)
class SensorMeasured(Measured):
    """What the core needs to learn and to explain the events that it measured.

    Attributes:
        newest_BC: The rows themselves, last values carried forward; NaN where never seen.
        averaged_BF, lagged_BF, leaky_BF: The feature vectors.
        center_BC, scale_BC: The key's statistics at that time.
        values_BC: The values as they came, about their origins, NaN = missing.
        jump_BC: Changes of the channels since the row before, in usual changes.
        residual_BC: How far each channel is from what all else says, in deviations and signed,
            within +-15; 0 where too little is known.
        innovation_B, channel_B: How far the channel that stands out the most is from what all
            else says, in deviations; and which it is.
        signals: Of the levels.
        origins: Of the keys of the batch; of joined tables, of the last batch's.
        joined_B: Whether the key joined a mature fleet.
    """

    newest_BC: Float32Array
    averaged_BF: Float32Array
    lagged_BF: Float32Array
    leaky_BF: Float32Array
    center_BC: FloatArray
    scale_BC: FloatArray
    values_BC: FloatArray
    jump_BC: Float32Array
    residual_BC: Float32Array
    innovation_B: FloatArray
    channel_B: IntArray
    signals: Signals
    origins: OriginsOfBatch
    joined_B: BoolArray

    @property
    def signals_BE(self) -> FloatArray:  # noqa: N802 - a shape suffix
        """`[B, 3]` the largest innovation or jump, distance from usual levels, and quietness."""
        news_B = np.maximum(self.innovation_B, self.jump_BC.max(1, initial=0.0))
        sizes_B3 = np.concatenate([news_B[:, None], self.signals.size_B2], axis=1)
        return np.maximum(sizes_B3, SMALLEST_SIGNAL)

    @property
    def is_newcomer_B(self) -> BoolArray:  # noqa: N802 - a shape suffix
        """`[B]` rows of keys that joined a mature fleet."""
        return self.joined_B

    def suspect(self, winner_B: IntArray) -> IntArray:
        """`[B]` channel that stands out by the evidence that won, -1 where none does by itself."""
        own_B = np.where(self.innovation_B >= FAR_OFF, self.channel_B, -1)
        is_jump_B = self.jump_BC.max(1, initial=0.0) > self.innovation_B
        news_B = np.where(is_jump_B, self.jump_BC.argmax(1), self.channel_B)
        found_B4 = np.column_stack([own_B, news_B, self.signals.channel_B2])
        found_B: IntArray = found_B4[np.arange(len(winner_B)), winner_B]
        return found_B

    def standardised(self) -> FloatArray:
        """`[B, C]` z = (x - m) / s, newest rows in their channels' units; 0 where never seen."""
        z_BC = (self.newest_BC - self.center_BC) / self.scale_BC
        return np.nan_to_num(z_BC, copy=False, nan=0.0)

    def part_scores(self) -> FloatArray:
        """`[B, C]` z^2: how far each channel's newest value is from its mean."""
        return self.standardised() ** 2
