"""What scorers see of an event, and what a scorer is.

B = events, N = recent rows, C = channels, H = leaky units, F = features, R = residuals,
D = embedding size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from streamssl.columns import Columns
from streamssl.config.sections import ScorersConfig
from streamssl.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.keys import KeyColumns

SMALLEST = 1e-3


@dataclass(frozen=True, slots=True)
class Features(Columns):
    """Events in their context, as the modality gives them.

    Attributes:
        slot_B: Slot of each event's key.
        age_B: Events of the key before this one.
        recent_BNC: The key's last N rows, oldest first, a missing value held at the channel's
            last one; NaN where a channel has not been seen yet.
        ema_BF: Moving averages of the channels, slow then fast; NaN like the rows.
        leaky_BH: Leaky random units of the normalised rows.
        center_BC: Running mean of the key's channels (of the past epochs).
        scale_BC: Running standard deviation likewise, > 0.
    """

    slot_B: IntArray
    age_B: IntArray
    recent_BNC: Float32Array
    ema_BF: Float32Array
    leaky_BH: Float32Array
    center_BC: FloatArray
    scale_BC: FloatArray

    def __len__(self) -> int:
        """Number of events."""
        return len(self.slot_B)


@dataclass(frozen=True, slots=True)
class Measured(Columns):
    """What the statistical core measured of some events.

    Attributes:
        slot_B: Slot of each event's key.
        entry_B: Entry of the statistics that scored the row: 0 = shared by all keys.
        own_B: Entry that the row's key owns (0 for none).
        averaged_BF, lagged_BF, leaky_BF: The feature vectors.
        center_BC, scale_BC: The key's statistics at that time.
        scores_BP: The four distances, in the order of `gaussian_core.PARTS`.
        top_B: Channel that contributes most to the lagged one, by the cheap method.
    """

    slot_B: IntArray
    entry_B: IntArray
    own_B: IntArray
    averaged_BF: Float32Array
    lagged_BF: Float32Array
    leaky_BF: Float32Array
    center_BC: FloatArray
    scale_BC: FloatArray
    scores_BP: FloatArray
    top_B: IntArray

    @property
    def raw(self) -> FloatArray:
        """`[B]` geometric mean of the distances."""
        return np.exp(np.log(np.maximum(self.scores_BP, SMALLEST)).mean(1))


@dataclass(frozen=True, slots=True)
class Seen(Columns):
    """Everything that a scorer may look at; kept until the epoch ends, then learned.

    Attributes:
        position_B3: Partition, offset and index.
        newest_BC: The rows themselves, missing values held; NaN where never seen.
        measured: By the statistical core.
        residual_BR: What the networks could not reconstruct or predict.
        embedding_BD: From the teacher.
    """

    position_B3: IntArray
    newest_BC: Float32Array
    measured: Measured
    residual_BR: Float32Array
    embedding_BD: Float32Array

    def __len__(self) -> int:
        """Number of events."""
        return len(self.position_B3)

    def standardised(self) -> FloatArray:
        """`[B, C]` newest rows in units of their key's channels; 0 where never seen."""
        z_BC = (self.newest_BC - self.measured.center_BC) / self.measured.scale_BC
        return np.nan_to_num(z_BC, copy=False, nan=0.0)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What of an epoch's rows may be learned, and by which statistics.

    Attributes:
        learn_B: Whether the gate let the row through.
        own_B: Entry that the row's key owns now (0 for none).
        moved: Entries that went to another key.
    """

    learn_B: BoolArray
    own_B: IntArray
    moved: IntArray


@dataclass(frozen=True, slots=True)
class Sizes:
    """What a scorer is built for.

    Attributes:
        leaky_CH: Input weights of the leaky units.
        num_residuals: R.
        embedding: D.
        seed: Seed of projections.
    """

    leaky_CH: FloatArray
    num_residuals: int
    embedding: int
    seed: int

    @property
    def num_channels(self) -> int:
        """C."""
        return len(self.leaky_CH)


class Scorer(Protocol):
    """Says how surprising events are. `score` and `contributions` change nothing."""

    @classmethod
    def build(cls, config: ScorersConfig, sizes: Sizes) -> Self:
        """A scorer that has seen nothing."""
        ...

    def score(self, seen: Seen) -> FloatArray:
        """`[B]` raw scores, at least 0; larger is more surprising."""
        ...

    def contributions(self, seen: Seen) -> FloatArray:
        """`[A, C]` what each channel adds to the score, at least 0."""
        ...

    def learn(self, seen: Seen, admitted: Admitted, generator: np.random.Generator) -> None:
        """Learn an epoch's rows, in (partition, offset, index) order."""
        ...

    def per_key(self) -> list[KeyColumns]:
        """Every per-key column."""
        ...

    def bytes_per_own_key(self) -> int:
        """Bytes that statistics of a key's own take, beside the per-key columns."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything learned."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        ...
