"""Running sums over the rows of each key's incident: its vector, and what its anomalies blame.

B = events, I = told rows, K = keys, R = rows of incidents, P = parts, D = embedding size,
V = columns of an incident's vector.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamssl.alerts.incident_runs import IncidentRuns
from streamssl.alerts.incident_story import VECTOR_ROWS
from streamssl.data.columns import Columns
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns
from streamssl.data.spaces import SpaceOpening, carried, carries


@dataclass(frozen=True, slots=True)
class Sums(Columns):
    """Sums of incidents up to some of their rows.

    Attributes:
        shares_RP: Of the shares of the anomalies.
        vector_RV: Of the rows' embedding.
        num_R: How many rows the vector is of.
    """

    shares_RP: Float32Array
    vector_RV: Float32Array
    num_R: IntArray


class Blame(NamedTuple):
    """What the anomalies of a batch blame.

    Attributes:
        row_A: Their rows, ascending.
        share_AP: Shares of the parts.
    """

    row_A: IntArray
    share_AP: FloatArray

    def of(self, row_R: IntArray, num_rows: int) -> Float32Array:
        """`[R, P]` shares of some rows of a batch; 0 of those that are no anomalies."""
        place_B = np.full(num_rows, len(self.row_A))
        place_B[self.row_A] = np.arange(len(self.row_A))
        nothing_1P = np.zeros((1, self.share_AP.shape[1]))
        share_RP: FloatArray = np.concatenate([self.share_AP, nothing_1P])[place_B[row_R]]
        return share_RP.astype(np.float32)


@dataclass(frozen=True, slots=True)
class SumStep:
    """The sums of the keys' incidents after a batch (not yet written)."""

    slots: IntArray
    sums: Sums
    space: str


class IncidentSums:
    """Sums of one embedding space; they are carried to the next, or begin anew.

    Args:
        num_parts: P.
        columns: The columns of an embedding by which incidents are told apart.
    """

    def __init__(self, *, num_parts: int, columns: slice) -> None:
        self.num_parts, self._columns = num_parts, columns
        self.num_columns = columns.stop - columns.start
        self.space = ""
        self.columns = KeyColumns(
            shares=((num_parts,), np.float32, 0.0),
            vector=((self.num_columns,), np.float32, 0.0),
            num=((), np.int64, 0),
        )

    def read(
        self,
        runs: IncidentRuns,
        told: IntArray,
        blame: Blame,
        embedding_BD: Float32Array,
        space: str,
    ) -> tuple[Sums, SumStep]:
        """Sums of incidents at the rows where they are told; changes nothing.

        They are added up row by row, so that no bit depends on how the rows were cut.

        Args:
            runs: The incidents of a batch.
            told: `[I]` rows.
            blame: Of the batch's anomalies.
            embedding_BD: Of all rows.
            space: Of the embedding.

        Returns:
            Sums at the told rows (zeros of muted events), and what is held after the batch.
        """
        before, columns = self._held(runs, space), self._columns
        after = Sums(
            _running(runs, before.shares_RP, blame.of(runs.row_R, len(embedding_BD))),
            _running(runs, before.vector_RV, embedding_BD[runs.row_R, columns]),
            before.num_R[runs.run_N] + np.arange(len(runs.run_N)) - runs.held_S[runs.run_N],
        )
        place_B = np.full(len(embedding_BD), len(runs.run_N))
        place_B[runs.row_R] = runs.place_R
        last = (runs.held_S + runs.count_S)[runs.last_S]
        step = SumStep(runs.slot_S[runs.last_S], after.take(last), space)
        return Sums.concat([after, self._nothing()]).take(place_B[told]), step

    def _nothing(self) -> Sums:
        shares_1P = np.zeros((1, self.num_parts), np.float32)
        vector_1V = np.zeros((1, self.num_columns), np.float32)
        return Sums(shares_1P, vector_1V, np.zeros(1, np.int64))

    def _held(self, runs: IncidentRuns, space: str) -> Sums:
        """`[S]` what was held of the incident of each run."""
        shares_SP, vector_SV, num_S = (self.columns[name][runs.slot_S] for name in _NAMES)
        anew_S = runs.begins_S | (space != self.space)
        shares_SP[runs.begins_S], vector_SV[anew_S], num_S[anew_S] = 0.0, 0.0, 0
        return Sums(shares_SP, vector_SV, num_S)

    def write(self, step: SumStep) -> None:
        """Move on to what `read` returned."""
        if len(step.slots) and step.space != self.space:
            self.space = step.space
            self.columns["vector"][:], self.columns["num"][:] = 0.0, 0
        self.columns["shares"][step.slots] = step.sums.shares_RP
        self.columns["vector"][step.slots] = step.sums.vector_RV
        self.columns["num"][step.slots] = step.sums.num_R

    def open_space(self, opening: SpaceOpening) -> None:
        """Carry the vectors over to a new space; where there is no map they begin anew."""
        if not carries(opening, self._columns) or opening.previous != self.space:
            return
        vector, num_1 = self.columns["vector"], self.columns["num"][:, None]
        vector[:] = carried(vector, opening, self._columns, num_1.astype(np.float64))
        self.space = opening.space

    def state_dict(self) -> dict[str, Any]:
        """The sums of every key's last incident, and their space."""
        return {"columns": self.columns.state_dict(), "space": self.space}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state["columns"])
        self.space = str(state["space"])


_NAMES = ("shares", "vector", "num")


def shares_of(sums: Sums) -> Float32Array:
    """`[I, P]` shares of the parts, which sum to 1; all 0 before the first anomaly."""
    total_R1 = sums.shares_RP.sum(1, keepdims=True)
    share_RP: Float32Array = np.divide(
        sums.shares_RP, total_R1, out=np.zeros_like(sums.shares_RP), where=total_R1 > 0.0
    )
    return share_RP


def vectors_of(sums: Sums) -> Float32Array:
    """`[I, V]` means of the rows; NaN with fewer than 8 rows."""
    known_R = (sums.num_R >= VECTOR_ROWS) & sums.vector_RV.any(axis=1)
    mean_RV: FloatArray = sums.vector_RV / np.where(known_R, sums.num_R, np.nan)[:, None]
    return mean_RV.astype(np.float32)


def _running(runs: IncidentRuns, held_SX: Float32Array, row_RX: Float32Array) -> Float32Array:
    """`[N, X]` sums of each run, one row added after the other, so that no cut changes a bit."""
    sum_NX = np.empty((len(runs.run_N), held_SX.shape[1]), np.float32)
    sum_NX[runs.held_S], sum_NX[runs.place_R] = held_SX, row_RX
    longest = int(runs.count_S.max(initial=0))
    if len(runs) <= longest:
        for begin, count in zip(runs.held_S.tolist(), runs.count_S.tolist(), strict=True):
            run = sum_NX[begin : begin + count + 1]
            np.add.accumulate(run, axis=0, out=run)
        return sum_NX
    for step in range(1, longest + 1):
        place = runs.held_S[runs.count_S >= step] + step
        sum_NX[place] += sum_NX[place - 1]
    return sum_NX
