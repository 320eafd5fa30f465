"""The rows of incidents in a batch, cut where one incident of a key ends and the next begins.

B = events, R = rows of incidents, S = runs, N = R + S: before the rows of each run one place for
what was held of its incident.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamssl.alerts.incidents import MUTED, NONE, START
from streamssl.data.events import BoolArray, IntArray

NOWHERE = -1


class IncidentRuns:
    """What a batch (each key's rows in order) holds of incidents, one run an incident of a key.

    Args:
        slot_B: Slot of each row's key.
        state_B: Index into `INCIDENT_STATES`.

    Attributes:
        row_R: Rows of incidents, by key and then in order.
        run_R: Run of each.
        slot_S: The key of each run, ascending; runs of one key are in order.
        begins_S: Whether the incident's first event is in the batch.
        muted_S: First muted event of the key after the incident, -1 without one.
        count_S: Rows of each run; 0 where only muted events follow an older incident.
        held_S: Place of what was held.
        place_R: Place of each row.
        run_N: Run of each place.
        last_S: Whether it is the key's last run: what is held after the batch is of these.
    """

    def __init__(self, slot_B: IntArray, state_B: IntArray) -> None:
        rows = np.flatnonzero(state_B != NONE)
        rows = rows[np.argsort(slot_B[rows], kind="stable")]
        slot_X, state_X = slot_B[rows], state_B[rows]
        begins_X = state_X == START
        first_X = begins_X.copy()
        first_X[:1] = True
        first_X[1:] |= slot_X[1:] != slot_X[:-1]
        run_X, is_muted_X = np.cumsum(first_X) - 1, state_X == MUTED
        self.slot_S, self.begins_S = slot_X[first_X], begins_X[first_X]
        self.muted_S = np.full(len(self.slot_S), NOWHERE)
        self.muted_S[run_X[is_muted_X][::-1]] = rows[is_muted_X][::-1]
        self.row_R, self.run_R = rows[~is_muted_X], run_X[~is_muted_X]
        run_S = np.arange(len(self.slot_S))
        self.count_S: IntArray = np.bincount(self.run_R, minlength=len(run_S))
        self.held_S: IntArray = np.cumsum(self.count_S) - self.count_S + run_S
        self.place_R: IntArray = np.arange(len(self.row_R)) + self.run_R + 1
        self.run_N: IntArray = np.repeat(run_S, self.count_S + 1)
        self.last_S: BoolArray = np.diff(self.slot_S, append=NOWHERE) != 0

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.slot_S)

    def with_held(
        self, value_S: npt.NDArray[np.generic], value_R: npt.NDArray[np.generic]
    ) -> npt.NDArray[np.generic]:
        """`[N]` what was held of each run, followed by its rows."""
        value_N = np.empty(len(self.run_N), np.result_type(value_S, value_R))
        value_N[self.held_S], value_N[self.place_R] = value_S, value_R
        return value_N
