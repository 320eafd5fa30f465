"""The rows of incidents in a batch, cut where one incident of a key ends and the next begins.

B = events.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamssl.alerts.incidents import MUTED, NONE, START
from streamssl.data.events import IntArray


class IncidentRun(NamedTuple):
    """What a batch holds of one incident of a key, and of the muted events that follow it.

    Attributes:
        slot: The key's.
        rows: Rows of the incident, in order; none where only muted events follow an older one.
        muted: Rows of muted events after it.
        begins: Whether the incident's first event is among them.
    """

    slot: int
    rows: IntArray
    muted: IntArray
    begins: bool


def incident_runs(slot_B: IntArray, state_B: IntArray) -> list[IncidentRun]:
    """The incidents of a batch (each key's rows in order), by key and then in order.

    Args:
        slot_B: Slot of each row's key.
        state_B: Index into `INCIDENT_STATES`.
    """
    rows = np.flatnonzero(state_B != NONE)
    if not len(rows):
        return []
    rows = rows[np.argsort(slot_B[rows], kind="stable")]
    slot_R, begins_R = slot_B[rows], state_B[rows] == START
    cuts = 1 + np.flatnonzero((slot_R[1:] != slot_R[:-1]) | begins_R[1:])
    return [_run(piece, slot_B, state_B) for piece in np.split(rows, cuts)]


def _run(rows: IntArray, slot_B: IntArray, state_B: IntArray) -> IncidentRun:
    is_muted = state_B[rows] == MUTED
    begins = bool(state_B[rows[0]] == START)
    return IncidentRun(int(slot_B[rows[0]]), rows[~is_muted], rows[is_muted], begins)
