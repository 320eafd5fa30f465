"""The alert budget: from p-values to anomalies and their severity."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.events import BoolArray, FloatArray, IntArray

DAY_S = 86_400.0
MEMORY_EPOCHS = 64.0
SEVERITY_STEPS = (1e-1, 1e-2, 1e-3)


class AlertBudget:
    """How small a p-value must be.

    Args:
        share: Anomalies allowed as a share of events; None where `per_day` rules.
        per_day: Incidents allowed per day of event time.
    """

    def __init__(self, *, share: float | None = 0.001, per_day: float | None = None) -> None:
        self.share, self.per_day = share, per_day
        self.events = self.seconds = self.anomalies = self.incidents = 0.0

    def threshold(self) -> float:
        """p-value up to which an event is an anomaly; frozen inside an epoch.

        With `per_day`: the incidents allowed, in events, over the events of a day. It is 0 (no
        alerts) until event time has advanced.
        """
        if self.per_day is None:
            return float(self.share or 0.0)
        if self.seconds <= 0.0:
            return 0.0
        anomalies_per_incident = max(self.anomalies, 1.0) / max(self.incidents, 1.0)
        events_per_day = self.events / self.seconds * DAY_S
        return min(1.0, self.per_day * max(anomalies_per_incident, 1.0) / events_per_day)

    def rate(self) -> float:
        """Share of recent events that were anomalies."""
        return self.anomalies / max(self.events, 1.0)

    def learn(self, passed_s: float, anomaly_B: BoolArray, num_started: int) -> None:
        """Count an epoch's events, the event time that passed, anomalies and new incidents."""
        keep = 1.0 - 1.0 / MEMORY_EPOCHS
        self.events = keep * self.events + len(anomaly_B)
        self.seconds = keep * self.seconds + passed_s
        self.anomalies = keep * self.anomalies + float(anomaly_B.sum())
        self.incidents = keep * self.incidents + num_started

    def state_dict(self) -> dict[str, Any]:
        """The decayed counts of events, seconds, anomalies and incidents."""
        return {"counts": [self.events, self.seconds, self.anomalies, self.incidents]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.events, self.seconds, self.anomalies, self.incidents = map(float, state["counts"])


def severity(p_B: FloatArray, anomaly_B: BoolArray, threshold: float) -> IntArray:
    """Index into `SEVERITIES`: one step more for each factor of ten under the threshold."""
    level = np.ones(len(p_B), np.int64)
    for step in SEVERITY_STEPS:
        level += p_B <= threshold * step
    return np.where(anomaly_B, level, 0)
