"""Judged events, and what the alert layer remembers of their keys.

B = events, E = kinds of evidence, S = scorers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from streamssl.alerts.calibration import LevelSteps
from streamssl.alerts.incident_fields import FieldStep
from streamssl.alerts.incident_story import StoryStep
from streamssl.alerts.incident_sums import SumStep
from streamssl.alerts.incidents import IncidentStep
from streamssl.data.columns import Columns
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.scorers.base import Seen


@dataclass(frozen=True, slots=True)
class Scored(Columns):
    """Judged events; kept until the epoch ends, then learned.

    Attributes:
        seen: What the scorers looked at.
        event_time_B: Seconds.
        scores_BS: Raw score of each scorer that is switched on, in the order of `SCORERS`.
        raw_B: Fused.
        evidence_BE: What alerts go by: the fused score of a cleaned context, then the signals.
        level_BE: Local level of each at the row.
        winner_B: Which of them has the smallest weighted p-value.
        p_B: That p-value.
        fitted_B: Whether the scorers were ready.
        warming_B: Index into `WARMING`; what is `new` is too young for alerts.
        threshold_B: p-value up to which the row is an anomaly.
        anomaly_B: Whether the score passed the threshold.
        incident_state_B: Index into `INCIDENT_STATES`.
    """

    seen: Seen[Any]
    event_time_B: FloatArray
    scores_BS: FloatArray
    raw_B: FloatArray
    evidence_BE: FloatArray
    level_BE: FloatArray
    winner_B: IntArray
    p_B: FloatArray
    fitted_B: BoolArray
    warming_B: IntArray
    threshold_B: FloatArray
    anomaly_B: BoolArray
    incident_state_B: IntArray

    @property
    def slots(self) -> IntArray:
        """`[B]` slot of each event's key."""
        return self.seen.measured.slot_B


class TellStep(NamedTuple):
    """What the keys' incidents were so far after a batch (not yet written)."""

    stories: StoryStep
    sums: SumStep


class AlertStep(NamedTuple):
    """The keys' levels and incidents after a batch, and what these are about (not yet written).

    `told` is None where the batch has no row of an incident.
    """

    levels: LevelSteps
    incidents: IncidentStep
    fields: FieldStep
    told: TellStep | None
