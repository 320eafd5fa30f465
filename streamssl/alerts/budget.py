"""The alert budget: how small a p-value must be, and how severe an anomaly is."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.events import BoolArray, FloatArray, IntArray

# docs/research-log.md, "Constants of the arithmetic"
DAY_S = 86_400.0
MEMORY_EPOCHS = 64
LARGEST_SHARE = 0.01  # of events, however many incidents a day are allowed
TIMELESS_SHARE = 0.001  # where event time does not advance
OUTLIERS = 16.0  # one epoch in so many may have any length; no epoch counts as so many usual ones
SEVERITY_STEPS = (1e-1, 1e-2, 1e-3)


class AlertBudget:
    """Incidents allowed, as a share of a key's events.

    Args:
        share: The share itself; None where `per_day` rules.
        per_day: Incidents per day of event time, over all keys.
    """

    def __init__(self, *, share: float | None = 0.001, per_day: float | None = None) -> None:
        self.share, self.per_day = share, per_day
        self.events = self.anomalies = 0.0
        self._epochs: deque[tuple[float, float]] = deque(maxlen=MEMORY_EPOCHS)
        self._last_s = np.nan

    def threshold(self) -> float:
        """p-value up to which an event may open an incident; frozen inside an epoch.

        With `per_day`: min(.01, incidents allowed / events of a day).
        """
        if self.per_day is None:
            return float(self.share or 0.0)
        per_event_s = self.seconds_per_event()
        if per_event_s <= 0.0:
            return TIMELESS_SHARE
        return min(LARGEST_SHARE, self.per_day * per_event_s / DAY_S)

    def seconds_per_event(self) -> float:
        """Event time from one event to the next, jumps and pauses bounded; 0 where it stands.

        Over the last 64 epochs. Every sixteenth may have any length: without those the usual
        length is taken, and no epoch counts for more than 16 of them.
        """
        if not self._epochs:
            return 0.0
        events, seconds = np.array(self._epochs).T
        order = np.argsort(seconds / events, kind="stable")
        usual = order[: len(order) - max(int(np.ceil(len(order) / OUTLIERS)), 1)]
        if not len(usual):
            usual = order
        typical_s = float(seconds[usual].sum() / events[usual].sum())
        bounded = np.minimum(seconds, OUTLIERS * typical_s * events)
        return float(bounded.sum() / events.sum())

    @property
    def is_timeless(self) -> bool:
        """True where incidents a day are asked for and event time has not advanced."""
        return self.per_day is not None and bool(self._epochs) and self.seconds_per_event() <= 0.0

    def rate(self) -> float:
        """Share of recent events that were anomalies."""
        return self.anomalies / max(self.events, 1.0)

    def learn(self, event_time_B: FloatArray, anomaly_B: BoolArray) -> None:
        """Count an epoch's events, the event time since the epoch before, and anomalies.

        Time is the distance of the epochs' median event times, in either direction.
        """
        if not len(event_time_B):
            return
        keep, now_s = 1.0 - 1.0 / MEMORY_EPOCHS, float(np.median(event_time_B))
        self.events = keep * self.events + len(anomaly_B)
        self.anomalies = keep * self.anomalies + float(anomaly_B.sum())
        if np.isfinite(self._last_s):
            self._epochs.append((float(len(event_time_B)), abs(now_s - self._last_s)))
        self._last_s = now_s

    def state_dict(self) -> dict[str, Any]:
        """The counts, and the epochs' lengths."""
        return {
            "counts": [self.events, self.anomalies],
            "epochs": np.array(self._epochs).reshape(-1, 2),
            "last_s": np.array(self._last_s),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.events, self.anomalies = map(float, state["counts"])
        rows = np.array(state["epochs"]).tolist()
        self._epochs = deque([(n, s) for n, s in rows], maxlen=MEMORY_EPOCHS)
        self._last_s = float(state["last_s"])


def severity(p_B: FloatArray, anomaly_B: BoolArray, threshold_B: FloatArray) -> IntArray:
    """Index into `SEVERITIES`: one step more for each factor of ten under the threshold."""
    level = np.ones(len(p_B), np.int64)
    for step in SEVERITY_STEPS:
        level += p_B <= threshold_B * step
    return np.where(anomaly_B, level, 0)
