"""Incidents in the log: a line where one changes its state, with the highest that it reached."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamssl.data.results import INCIDENT_STATES, SEVERITIES, Results
from streamssl.telemetry.log_events import tell
from streamssl.telemetry.pace import Pace

log = logging.getLogger(__name__)

MAX_A_MINUTE = 30
# Incidents remembered; of one that is forgotten the rest of the story has no beginning.
MAX_OPEN = 4_096
QUIET_STATES = ("none", "ongoing")
LAST_STATE = "end"


@dataclass
class OpenIncident:
    """What was seen of an incident so far.

    Attributes:
        key: Its key.
        field: Part that stood out in its first anomaly.
        began_s: Event time of its start, None where this process did not see it.
        state: Its state as told last, empty before.
        score: The highest so far.
        severity: Index of the highest so far.
        anomalies: Anomalies so far.
    """

    key: str
    field: str
    began_s: float | None = None
    state: str = ""
    score: float = 0.0
    severity: int = 0
    anomalies: int = 0


class IncidentLog:
    """Tells of incidents, whatever states they have, and never too often.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._pace = Pace(MAX_A_MINUTE, clock=clock)
        self._open: OrderedDict[str, OpenIncident] = OrderedDict()

    def observe(self, results: Results) -> None:
        """Tell what the results say of incidents; rows that change nothing cost next to nothing."""
        if not (results.incident_state.any() and log.isEnabledFor(logging.INFO)):
            return
        quiet = [i for i, name in enumerate(INCIDENT_STATES) if name in QUIET_STATES]
        matters_B = results.anomaly | ~np.isin(results.incident_state, quiet)
        for row in np.flatnonzero(matters_B & (results.incident_state > 0)).tolist():
            self._observe_row(results, row)

    def turned(self, *, ending: bool = False) -> None:
        """Once a minute count what was not told, if anything."""
        num = self._pace.take_held_back(ending=ending)
        if num:
            tell(log, "lines_held_back", kind="incident", num=num)

    def _observe_row(self, results: Results, row: int) -> None:
        incident_id = results.incident_id[row]
        if incident_id is None:
            return
        state = INCIDENT_STATES[int(results.incident_state[row])]
        incident = self._open.get(incident_id) or self._begin(results, row, incident_id, state)
        if results.anomaly[row]:
            incident.anomalies += 1
            incident.score = max(incident.score, float(results.score[row]))
            incident.severity = max(incident.severity, int(results.severity[row]))
        if state not in (*QUIET_STATES, incident.state):
            incident.state = state
            if results.incident_field[row] >= 0:
                incident.field = results.parts[int(results.incident_field[row])]
            if self._pace.admits():
                self._tell(results, row, incident_id, incident)
        if state == LAST_STATE:
            self._open.pop(incident_id, None)

    def _begin(self, results: Results, row: int, incident_id: str, state: str) -> OpenIncident:
        field = results.parts[int(results.top_field[row])]
        incident = OpenIncident(key=results.batch.keys[row].as_py(), field=field)
        if state == "start":
            incident.began_s = float(results.batch.event_time[row])
        self._open[incident_id] = incident
        if len(self._open) > MAX_OPEN:
            self._open.popitem(last=False)
        return incident

    def _tell(self, results: Results, row: int, incident_id: str, incident: OpenIncident) -> None:
        event_time, began_s = float(results.batch.event_time[row]), incident.began_s
        tell(
            log,
            "incident",
            incident_state=incident.state,
            incident_id=incident_id,
            key=incident.key,
            top_field=incident.field,
            event_time=event_time,
            severity=SEVERITIES[incident.severity],
            score=incident.score,
            threshold=float(results.threshold[row]),
            anomalies=incident.anomalies,
            seconds=None if began_s is None else round(event_time - began_s, 3),
        )
