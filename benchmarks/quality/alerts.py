"""The alert layer judged: labelled segments hit, false incidents, and the rate that was kept.

N = rows of a series.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import numpy as np

from benchmarks.quality.detectors import NO_INCIDENT, AlertColumns
from benchmarks.quality.vus import segments
from streamssl.data.events import BoolArray, IntArray


@dataclass(frozen=True, slots=True)
class AlertCounts:
    """Counts on the rows that count; they add up over series.

    Attributes:
        num_rows: Rows.
        num_alerts: Rows that alerted.
        num_normal_rows: Rows without a label.
        num_normal_alerts: Alerts among them.
        num_segments: Runs of labelled rows.
        num_hit: Segments in which a row alerted.
        num_incidents: Incidents with an alert.
        num_false: Incidents whose span, first alert to last, touches no segment.
    """

    num_rows: int = 0
    num_alerts: int = 0
    num_normal_rows: int = 0
    num_normal_alerts: int = 0
    num_segments: int = 0
    num_hit: int = 0
    num_incidents: int = 0
    num_false: int = 0

    @property
    def alert_rate(self) -> float:
        """Share of the rows that alerted."""
        return self.num_alerts / max(self.num_rows, 1)

    @property
    def normal_alert_rate(self) -> float:
        """Share of the rows without a label that alerted."""
        return self.num_normal_alerts / max(self.num_normal_rows, 1)

    @property
    def false_per_10k(self) -> float:
        """False incidents per 10,000 rows."""
        return 1e4 * self.num_false / max(self.num_rows, 1)


def total(counts: Iterable[AlertCounts]) -> AlertCounts:
    """The counts of several series together."""
    rows = [astuple(count) for count in counts]
    return AlertCounts(*(sum(column) for column in zip(*rows, strict=True)))


def count_alerts(
    anomaly: BoolArray, incident: IntArray, label: IntArray, use: IntArray
) -> AlertCounts:
    """Count on the rows with `use` 1.

    Example:
        >>> alert, incident = np.array([True, False, False, True]), np.array([0, -1, -1, 1])
        >>> counts = count_alerts(alert, incident, np.array([0, 0, 1, 1]), np.ones(4))
        >>> counts.num_hit, counts.num_false
        (1, 1)
    """
    counted = use == 1
    alert_N, label_N, incident_N = anomaly[counted], label[counted], incident[counted]
    start_S, stop_S = segments(label_N)
    alerts_before = np.append(0, np.cumsum(alert_N))
    first, last = _spans(alert_N, incident_N)
    labelled_before = np.append(0, np.cumsum(label_N))
    return AlertCounts(
        num_rows=len(label_N),
        num_alerts=int(alert_N.sum()),
        num_normal_rows=int((label_N == 0).sum()),
        num_normal_alerts=int(alert_N[label_N == 0].sum()),
        num_segments=len(start_S),
        num_hit=int((alerts_before[stop_S] > alerts_before[start_S]).sum()),
        num_incidents=len(first),
        num_false=int((labelled_before[last + 1] == labelled_before[first]).sum()),
    )


def _spans(alert_N: BoolArray, incident_N: IntArray) -> tuple[IntArray, IntArray]:
    """First and last alert of each incident."""
    rows = np.flatnonzero(alert_N & (incident_N != NO_INCIDENT))
    _, first = np.unique(incident_N[rows], return_index=True)
    _, last = np.unique(incident_N[rows][::-1], return_index=True)
    return rows[first], rows[len(rows) - 1 - last]


def at_budget(columns: AlertColumns, budget: float, gap: int) -> tuple[BoolArray, IntArray]:
    """Alerts and incidents that another budget would have given, from the calibrated score.

    Args:
        columns: What the alert layer said.
        budget: Share of events that may alert.
        gap: Rows without an alert that end an incident.
    """
    anomaly = (columns.p_value <= budget) & ~columns.warming
    rows = np.flatnonzero(anomaly)
    incident = np.full(len(anomaly), NO_INCIDENT, np.int64)
    incident[rows] = np.cumsum(np.diff(rows, prepend=-gap - 1) > gap) - 1
    return anomaly, incident
