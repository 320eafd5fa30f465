"""Running sums over the rows of each key's incident: its vector, and what its anomalies blame.

B = events, I = told rows, K = keys, R = rows of incidents, P = parts, D = embedding size,
V = columns of an incident's vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamssl.alerts.incident_runs import IncidentRun
from streamssl.alerts.incident_story import VECTOR_ROWS
from streamssl.data.columns import Columns
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns


def incident_columns(num_columns: int) -> slice:
    """The columns of an embedding by which incidents are told apart: all of them."""
    return slice(0, num_columns)


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

    def of(self, rows: IntArray) -> Float32Array:
        """`[R, P]` shares of some rows, ascending; 0 of those that are no anomalies."""
        shares_RP = np.zeros((len(rows), self.share_AP.shape[1]), np.float32)
        _, place, source = np.intersect1d(rows, self.row_A, assume_unique=True, return_indices=True)
        shares_RP[place] = self.share_AP[source]
        return shares_RP


@dataclass(frozen=True, slots=True)
class SumStep:
    """The sums of the keys' incidents after a batch (not yet written)."""

    slots: IntArray
    sums: Sums
    space: str


class IncidentSums:
    """Sums of one embedding space; in another one the vectors begin anew.

    Args:
        num_parts: P.
        embedding: D.
    """

    def __init__(self, *, num_parts: int, embedding: int) -> None:
        columns = incident_columns(embedding)
        self.num_parts, self.num_columns = num_parts, len(range(embedding)[columns])
        self.space = ""
        self.columns = KeyColumns(
            shares=((num_parts,), np.float32, 0.0),
            vector=((self.num_columns,), np.float32, 0.0),
            num=((), np.int64, 0),
        )

    def read(
        self,
        runs: Sequence[IncidentRun],
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
        place_B = np.zeros(len(embedding_BD), np.int64)
        pieces, num_rows = [self._nothing()], 1
        held: dict[int, Sums] = {}
        for run in runs:
            if len(run.rows):
                before = held.get(run.slot) or self._held(run.slot, space)
                before = self._nothing() if run.begins else before
                pieces.append(self._added(before, run.rows, blame, embedding_BD))
                held[run.slot] = pieces[-1].take(slice(-1, None))
                place_B[run.rows] = np.arange(num_rows, num_rows + len(run.rows))
                num_rows += len(run.rows)
        after = Sums.concat([self._nothing(), *held.values()]).take(slice(1, None))
        sums = Sums.concat(pieces).take(place_B[told])
        return sums, SumStep(np.array([*held], np.int64), after, space)

    def _nothing(self) -> Sums:
        shares_1P = np.zeros((1, self.num_parts), np.float32)
        vector_1V = np.zeros((1, self.num_columns), np.float32)
        return Sums(shares_1P, vector_1V, np.zeros(1, np.int64))

    def _held(self, slot: int, space: str) -> Sums:
        shares_1P, vector_1V, num_1 = (self.columns[n][slot : slot + 1] for n in _NAMES)
        if space != self.space:
            return Sums(shares_1P, np.zeros_like(vector_1V), np.zeros_like(num_1))
        return Sums(shares_1P, vector_1V, num_1)

    def _added(
        self, before: Sums, rows: IntArray, blame: Blame, embedding_BD: Float32Array
    ) -> Sums:
        """The sums at each of an incident's rows."""
        vector_RV = embedding_BD[rows, incident_columns(embedding_BD.shape[1])]
        num_R = before.num_R + np.arange(1, len(rows) + 1)
        shares_RP = _running(before.shares_RP, blame.of(rows))
        return Sums(shares_RP, _running(before.vector_RV, vector_RV), num_R)

    def write(self, step: SumStep) -> None:
        """Move on to what `read` returned."""
        if len(step.slots) and step.space != self.space:
            self.space = step.space
            self.columns["vector"][:], self.columns["num"][:] = 0.0, 0
        self.columns["shares"][step.slots] = step.sums.shares_RP
        self.columns["vector"][step.slots] = step.sums.vector_RV
        self.columns["num"][step.slots] = step.sums.num_R

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
    """`[I, V]` unit vectors along the mean of the rows; NaN with fewer than 8 rows."""
    exact_RV: npt.NDArray[np.float64] = sums.vector_RV.astype(np.float64)
    length_R = np.sqrt((exact_RV * exact_RV).sum(1))
    known_R = (sums.num_R >= VECTOR_ROWS) & (length_R > 0.0)
    unit_RV = exact_RV / np.where(known_R, length_R, np.nan)[:, None]
    return unit_RV.astype(np.float32)


def _running(before_1X: Float32Array, rows_RX: Float32Array) -> Float32Array:
    """`[R, X]` sums after each row, one added after the other."""
    running: Float32Array = np.add.accumulate(np.concatenate([before_1X, rows_RX]), axis=0)[1:]
    return running
