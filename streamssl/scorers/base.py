"""What scorers see of an event, and what they are.

B = events, T = steps of context, C = channels, H = leaky units, F = features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamssl.columns import Columns
from streamssl.events import Float32Array, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Features(Columns):
    """Events in their context, as the modality gives them.

    Attributes:
        slot_B: Slot of each event's key.
        age_B: Events of the key before this one.
        window_BTC: The last T rows, oldest first, a missing value held at the channel's last
            one; NaN where a channel has not been seen yet.
        ema_BF: Moving averages of the channels, slow then fast; NaN like the window.
        leaky_BH: Leaky random units of the normalised rows.
        center_BC: Running mean of the key's channels (of the past epochs).
        scale_BC: Running standard deviation likewise, > 0.
    """

    slot_B: IntArray
    age_B: IntArray
    window_BTC: Float32Array
    ema_BF: FloatArray
    leaky_BH: FloatArray
    center_BC: FloatArray
    scale_BC: FloatArray

    def __len__(self) -> int:
        """Number of events."""
        return len(self.slot_B)

    def normalised(self) -> FloatArray:
        """`[B, T, C]` standardised windows; 0 where a channel has not been seen."""
        z_BTC = (self.window_BTC - self.center_BC[:, None]) / self.scale_BC[:, None]
        return np.nan_to_num(z_BTC, copy=False, nan=0.0)
