"""From the results of a batch to what is told of its incidents, with the nearest past ones.

I = told rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamssl.alerts.incident_runs import IncidentRuns
from streamssl.alerts.incident_story import END_KIND, Events, Told
from streamssl.alerts.incident_sums import Blame, Sums, shares_of, vectors_of
from streamssl.alerts.incidents import MUTED
from streamssl.data.events import IntArray
from streamssl.data.incident_records import IncidentRecords, IncidentTable
from streamssl.data.results import Results
from streamssl.scorers.ensemble import Ensemble
from streamssl.scorers.scored import TellStep
from streamssl.stream.rows import FinishedIncidents


class IncidentTeller:
    """Makes records of the incidents of a batch; reads, and changes nothing.

    Args:
        ensemble: Holds what the keys' incidents were so far, and the finished ones.
        neighbours: Nearest past incidents named for one.
    """

    def __init__(self, *, ensemble: Ensemble, neighbours: int) -> None:
        self._ensemble, self._neighbours = ensemble, neighbours
        sums = ensemble.sums
        self._nothing = IncidentRecords.empty(sums.num_parts, sums.num_columns)

    def tell(self, slot_B: IntArray, results: Results) -> tuple[IncidentRecords, TellStep | None]:
        """What is told, and what the incidents were after the batch; None where there are none.

        Args:
            slot_B: Slot of each row's key.
            results: Of the rows, without records.
        """
        if not results.incident_state.any():
            return self._nothing, None
        runs = IncidentRuns(slot_B, results.incident_state)
        events = Events(
            results.incident_state,
            results.anomaly,
            results.severity,
            results.p_value,
            results.batch.event_time,
        )
        told, stories = self._ensemble.stories.read(runs, events)
        blame = Blame(results.explained, results.explanation.attribution_AP)
        sums, sum_step = self._ensemble.sums.read(
            runs, told.row_I, blame, results.embedding_BD, results.space
        )
        return self._records(results, told, sums), TellStep(stories, sum_step)

    def _records(self, results: Results, told: Told, sums: Sums) -> IncidentRecords:
        if not len(told.row_I):
            return self._nothing
        incidents = _table(results, told, sums)
        near = self._ensemble.past.nearest(incidents, results.parts, self._neighbours)
        return IncidentRecords(told.row_I, told.kind_I, incidents, near)


def finished(results: Results) -> FinishedIncidents | None:
    """The incidents that ended in a batch, if any did; muted events are none."""
    records, batch = results.incidents, results.batch
    ended_I = records.kind_I == END_KIND
    ended_I &= results.incident_state[records.row_I] != MUTED
    rows = records.row_I[ended_I]
    if not len(rows):
        return None
    columns = batch.partition[rows], batch.offset[rows], batch.index[rows]
    position_M3 = np.stack(columns, axis=1).astype(np.int64)
    return FinishedIncidents(position_M3, records.incidents.take(ended_I))


def _table(results: Results, told: Told, sums: Sums) -> IncidentTable:
    """The incidents at the rows where they are told; a muted event stands for itself."""
    batch = results.batch.take(told.row_I)
    muted_I = results.incident_state[told.row_I] == MUTED
    field_I = np.where(muted_I, results.top_field[told.row_I], results.incident_field[told.row_I])
    found: list[Any] = [results.incident_id[row] for row in told.row_I.tolist()]
    return IncidentTable(
        incident_id=[i or own for i, own in zip(found, batch.ids(), strict=True)],
        key=batch.keys.to_pylist(),
        space=[results.space] * len(batch),
        counts_MX=np.column_stack([told.counts_IX, field_I]),
        numbers_MX=told.numbers_IX,
        shares_MP=shares_of(sums),
        vector_MV=vectors_of(sums),
    )
