"""The moment in event time that a stream has reached, whatever single clocks say.

B = events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.events import FloatArray

NUM_EPOCHS = 5


class StreamTime:
    """Median event time of an epoch, and of that the median over the last five epochs.

    Ages, idle keys and alerts a day are counted by it: a source whose clock is years ahead
    must not make everything else look old, nor a day seem over.

    Attributes:
        now_s: Seconds since 1970; -inf before the first event.
    """

    def __init__(self) -> None:
        self._medians: deque[float] = deque(maxlen=NUM_EPOCHS)
        self.now_s = -np.inf

    def learn(self, event_time_B: FloatArray) -> float:
        """Take an epoch's event times; returns the seconds that passed, at least 0."""
        before_s = self.now_s
        if len(event_time_B):
            self._medians.append(_lower_median(event_time_B))
            self.now_s = _lower_median(np.array(self._medians))
        return max(self.now_s - before_s, 0.0) if np.isfinite(before_s) else 0.0

    def state_dict(self) -> dict[str, Any]:
        """The medians that `now_s` rests on."""
        return {"medians": np.array(self._medians), "now_s": np.array(self.now_s)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self._medians = deque(np.array(state["medians"]).tolist(), maxlen=NUM_EPOCHS)
        self.now_s = float(state["now_s"])


def _lower_median(values: FloatArray) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])
