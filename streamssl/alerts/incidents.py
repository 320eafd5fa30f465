"""Consecutive anomalies of a key form one incident, so that a long fault is one alert.

B = events, K = keys. Arrays with the suffix S are sorted by key, in order within a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.data.events import BoolArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.data.results import INCIDENT_STATES

NONE, START, ONGOING, END = range(len(INCIDENT_STATES))
NEVER = -1


@dataclass(frozen=True, slots=True)
class IncidentStep:
    """Incidents of a batch, and the keys' state after it (not yet written).

    Attributes:
        offset_B, index_B: Position of the first event of the row's incident, or -1.
        state_B: Index into `INCIDENT_STATES`.
        slots: `[K]` keys of the batch.
        open_K3: Their last incident: offset and index of its first event, age of its last anomaly.
    """

    offset_B: IntArray
    index_B: IntArray
    state_B: IntArray
    slots: IntArray
    open_K3: IntArray


class Incidents:
    """Groups anomalies into incidents, per key.

    Args:
        incident_gap: Normal events of the key that end an incident.
    """

    def __init__(self, *, incident_gap: int = 32) -> None:
        self.gap = incident_gap
        self.columns = KeyColumns(open=((3,), np.int64, NEVER))

    def read(
        self, slot_B: IntArray, age_B: IntArray, anomaly_B: BoolArray, position_B2: IntArray
    ) -> IncidentStep:
        """Incident of each row (each key's rows in order); changes nothing.

        An incident starts at an anomaly with no other within the last `incident_gap` events of
        its key; the normal event that completes the gap carries `end`.

        Args:
            slot_B: Slot of each row's key.
            age_B: Events of the key before the row.
            anomaly_B: Which rows are anomalies.
            position_B2: Offset and index of each row.
        """
        runs = Runs(slot_B)
        held_S3 = np.repeat(self.columns["open"][runs.slots], runs.counts, axis=0)
        age_S, anomaly_S = age_B[runs.order], anomaly_B[runs.order]
        last_S, before_S = _last_anomaly(runs, age_S, anomaly_S, held_S3[:, 2])
        fresh_S = anomaly_S & ((before_S == NEVER) | (age_S - before_S > self.gap))
        since_S = np.where(last_S == NEVER, self.gap + 1, age_S - last_S)
        state_S = np.select(
            [fresh_S, since_S < self.gap, since_S == self.gap], [START, ONGOING, END], NONE
        )
        first_S2 = _first_position(runs, fresh_S, position_B2, held_S3[:, :2])
        end = runs.starts + runs.counts - 1
        open_K3 = np.concatenate([first_S2[end], last_S[end, None]], axis=1)
        shown_S2 = np.where(state_S[:, None] == NONE, NEVER, first_S2)
        out = np.empty((len(slot_B), 3), np.int64)
        out[runs.order] = np.concatenate([shown_S2, state_S[:, None]], axis=1)
        return IncidentStep(out[:, 0], out[:, 1], out[:, 2], runs.slots, open_K3)

    def write(self, step: IncidentStep) -> None:
        """Move on to what `read` returned."""
        self.columns["open"][step.slots] = step.open_K3

    def state_dict(self) -> dict[str, Any]:
        """Every key's last incident."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


def _carry(runs: Runs, marked_S: BoolArray) -> IntArray:
    """Place of the last marked row so far of the same key, or -1."""
    place_S = np.where(marked_S, np.arange(len(marked_S)), -1)
    carried_S = np.maximum.accumulate(place_S) if len(place_S) else place_S
    return np.where(carried_S >= np.repeat(runs.starts, runs.counts), carried_S, -1)


def _last_anomaly(
    runs: Runs, age_S: IntArray, anomaly_S: BoolArray, held_S: IntArray
) -> tuple[IntArray, IntArray]:
    """Age of the key's last anomaly, up to each row and before it."""
    place_S = _carry(runs, anomaly_S)
    last_S = np.where(place_S >= 0, age_S[np.maximum(place_S, 0)], held_S)
    before_S = np.empty_like(last_S)
    before_S[1:] = last_S[:-1]
    before_S[runs.starts] = held_S[runs.starts]
    return last_S, before_S


def _first_position(
    runs: Runs, fresh_S: BoolArray, position_B2: IntArray, held_S2: IntArray
) -> IntArray:
    """Position of the first event of the key's newest incident at each row."""
    place_S = _carry(runs, fresh_S)
    source = runs.order[np.maximum(place_S, 0)]
    return np.where(place_S[:, None] >= 0, position_B2[source], held_S2)
