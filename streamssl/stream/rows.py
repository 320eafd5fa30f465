"""A judged batch, the rows of an open epoch, and the hashed picks among them.

B = events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamssl.data.columns import Columns
from streamssl.data.events import BoolArray, EventBatch, FloatArray, IntArray
from streamssl.data.incident_records import IncidentTable
from streamssl.data.inputs import Inputs, LazyInputs, concat_inputs
from streamssl.data.results import Results
from streamssl.scorers.scored import AlertStep, Scored

CHUNK_BYTES = 16 * 2**20
CHUNK_ROWS = 4_096
UINT64_MAX = float(2**64)
MOST_RUNS = 64  # of partitions in a piece, up to which cutting costs less than copying


class Judged(NamedTuple):
    """A batch as the frozen state judged it, and the context after it (not yet written)."""

    results: Results
    scored: Scored
    inputs: LazyInputs
    sample: Callable[[IntArray], Inputs]
    advance: Any
    alerts: AlertStep
    fresh_slots: IntArray


@dataclass(frozen=True, slots=True)
class OpenRows(Columns):
    """Scored rows of the open epoch, as learning will need them.

    Attributes:
        pick_B: Hash of the row in [0, 1): small ones are picked for the networks.
        input_B: Which of the kept inputs is the row's, or -1 where it was not picked.
        sample_B: The same of what is kept for the stem.
    """

    scored: Scored
    pick_B: FloatArray
    input_B: IntArray
    sample_B: IntArray

    def sampled(self, learn_B: BoolArray, share: float) -> IntArray:
        """`[N]` kept inputs of a share of the rows that are learned, by their hash."""
        return self.input_B[learn_B & (self.input_B >= 0) & (self.pick_B < share)]


@dataclass(frozen=True, slots=True)
class FinishedIncidents(Columns):
    """Incidents that ended in the open epoch.

    Attributes:
        position_M3: (partition, offset, index) of the events at which they did.
    """

    position_M3: IntArray
    incidents: IncidentTable


def pick_hash(position_B3: IntArray, seed: int, epoch: int) -> FloatArray:
    """`[B]` hash of (partition, offset, index), seed and epoch, uniform on [0, 1).

    The finaliser of splitmix64 (Steele et al. 2014), so that a pick depends on the event alone.
    """
    state: npt.NDArray[np.uint64] = np.full(len(position_B3), seed * 1_000_003 + epoch, np.uint64)
    with np.errstate(over="ignore"):
        for column in position_B3.T:
            state = _mix(state + column.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15))
    return state.astype(np.float64) / UINT64_MAX


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def in_pieces(batch: EventBatch, input_bytes: int) -> list[EventBatch]:
    """The batch in pieces whose inputs of so many bytes take bounded memory; at least one."""
    rows = min(CHUNK_ROWS, max(1, CHUNK_BYTES // input_bytes))
    if len(batch) <= rows:
        return [batch]
    return [batch.take(slice(begin, begin + rows)) for begin in range(0, len(batch), rows)]


class Picked(NamedTuple):
    """What is to be kept of some rows of a batch.

    Attributes:
        of: Named arrays of the rows that it is given.
        share: Of rows, by their hash.
    """

    of: Callable[[IntArray], Inputs]
    share: float


class Kept:
    """Named arrays of picked rows, one batch after another."""

    def __init__(self) -> None:
        self._tables: list[Inputs] = []
        self._num_rows = 0

    def add(self, pick_B: FloatArray, picked: Picked) -> IntArray:
        """`[B]` where each row of a batch is kept, -1 where it is not."""
        rows = np.flatnonzero(pick_B < picked.share)
        place_B = np.full(len(pick_B), -1, np.int64)
        place_B[rows] = self._num_rows + np.arange(len(rows))
        self._tables.append(picked.of(rows))
        self._num_rows += len(rows)
        return place_B

    def arrays(self) -> Inputs:
        """All that was kept, of at least one batch."""
        return concat_inputs(self._tables)


class OpenEpoch:
    """Collects the open epoch's rows; closes with them in (partition, offset, index) order."""

    def __init__(self) -> None:
        self._rows: list[OpenRows] = []
        self._inputs, self._samples = Kept(), Kept()
        self._finished: list[FinishedIncidents] = []

    def __len__(self) -> int:
        """Rows so far."""
        return sum(len(rows.pick_B) for rows in self._rows)

    def add(self, scored: Scored, pick_B: FloatArray, inputs: Picked, samples: Picked) -> None:
        """Keep scored rows, and the inputs and samples of those that are picked."""
        input_B, sample_B = self._inputs.add(pick_B, inputs), self._samples.add(pick_B, samples)
        self._rows.append(OpenRows(scored, pick_B, input_B, sample_B))

    def note(self, finished: FinishedIncidents | None) -> None:
        """Keep incidents that ended, if any."""
        if finished is not None:
            self._finished.append(finished)

    def finished(self) -> IncidentTable | None:
        """The incidents that ended, in the order of the events at which they did."""
        if not self._finished:
            return None
        found = FinishedIncidents.concat(self._finished)
        return found.take(np.lexsort(found.position_M3.T[::-1])).incidents

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget rows of a partition from an offset on, and the incidents that ended there."""
        self._finished = [
            found.take(_outside(found.position_M3, partition, from_offset))
            for found in self._finished
        ]
        self._rows = [
            rows.take(_outside(rows.scored.seen.position_B3, partition, from_offset))
            for rows in self._rows
        ]

    def rows(self) -> tuple[OpenRows, Inputs, Inputs]:
        """All rows (at least one) in order; inputs and samples, which they point into."""
        rows = OpenRows.concat(_by_partition(self._rows))
        order = np.lexsort(rows.scored.seen.position_B3.T[::-1])
        if (np.diff(order) != 1).any():
            rows = rows.take(order)
        return rows, self._inputs.arrays(), self._samples.arrays()


def _by_partition(pieces: list[OpenRows]) -> list[OpenRows]:
    """The pieces cut by partition, as views, and put in order: joined, they mostly are in order."""
    cut: list[tuple[int, OpenRows]] = []
    for rows in pieces:
        partition_B = rows.scored.seen.position_B3[:, 0]
        starts = [0, *(1 + np.flatnonzero(np.diff(partition_B))).tolist()]
        if len(starts) > MOST_RUNS:  # Interleaved, not one partition after another.
            return pieces
        if len(starts) == 1:
            cut.append((int(partition_B[0]) if len(partition_B) else -1, rows))
            continue
        stops = [*starts[1:], len(partition_B)]
        cut += [
            (int(partition_B[start]) if stop > start else -1, rows.take(slice(start, stop)))
            for start, stop in zip(starts, stops, strict=True)
        ]
    return [rows for _, rows in sorted(cut, key=lambda run: run[0])]


def _outside(position_B3: IntArray, partition: int, from_offset: int) -> BoolArray:
    return (position_B3[:, 0] != partition) | (position_B3[:, 1] < from_offset)
