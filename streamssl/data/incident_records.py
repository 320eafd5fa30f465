"""What is told of incidents: a record at the start of each, on its way and at its end.

I = records, M = incidents, P = parts, V = columns of an incident's vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamssl.data.columns import Columns
from streamssl.data.events import EventBatch, Float32Array, FloatArray, IntArray

KINDS = ("start", "update", "end")
# What is counted and measured of an incident; `severity` and `field` are places of names.
COUNTS = ("rows", "anomalies", "severity", "field")
NUMBERS = ("start_time", "last_time", "peak_p_value", "peak_time")


@dataclass(frozen=True, slots=True)
class IncidentTable(Columns):
    """Incidents, each as it was at one of its events.

    Attributes:
        incident_id: Ids of their first events.
        key: Their keys.
        space: Embedding space of their vectors.
        counts_MX: `[M, 4]` in the order of `COUNTS`; `field` is a part, -1 where none is named.
        numbers_MX: `[M, 4]` in the order of `NUMBERS`: seconds since 1970 but for the p-value.
        shares_MP: `[M, P]` share of each part in its anomalies; sums to 1, or all 0 without any.
        vector_MV: `[M, V]` mean of its rows' embedding, of the columns that tell incidents apart;
            NaN where unknown.
    """

    incident_id: list[str]
    key: list[str]
    space: list[str]
    counts_MX: IntArray
    numbers_MX: FloatArray
    shares_MP: Float32Array
    vector_MV: Float32Array

    @classmethod
    def empty(cls, num_parts: int = 0, num_columns: int = 0) -> IncidentTable:
        """No incident, of a stream with so many parts and columns of a vector."""
        return cls(
            incident_id=[],
            key=[],
            space=[],
            counts_MX=np.zeros((0, len(COUNTS)), np.int64),
            numbers_MX=np.zeros((0, len(NUMBERS))),
            shares_MP=np.zeros((0, num_parts), np.float32),
            vector_MV=np.zeros((0, num_columns), np.float32),
        )

    def count(self, name: str) -> IntArray:
        """`[M]` one of `COUNTS`."""
        count_M: IntArray = self.counts_MX[:, COUNTS.index(name)]
        return count_M

    def number(self, name: str) -> FloatArray:
        """`[M]` one of `NUMBERS`."""
        number_M: FloatArray = self.numbers_MX[:, NUMBERS.index(name)]
        return number_M

    def has_vector(self) -> npt.NDArray[np.bool_]:
        """`[M]` which have a vector."""
        if not self.vector_MV.shape[1]:
            return np.zeros(len(self.key), np.bool_)
        return ~np.isnan(self.vector_MV[:, 0])

    def rows(self, parts: Sequence[str], severities: Sequence[str]) -> list[dict[str, Any]]:
        """One mapping an incident, with names in place of numbers and None for what is unknown.

        Args:
            parts: Names of the parts.
            severities: Names of the severities.
        """
        known_M, names = self.has_vector().tolist(), (*parts, None)
        numbers = zip(self.counts_MX.tolist(), self.numbers_MX.tolist(), strict=True)
        return [
            {
                "incident_id": self.incident_id[m],
                "key": self.key[m],
                "incident_field": names[field],
                "start_time": start,
                "last_time": last,
                "duration_s": last - start,
                "rows": rows,
                "anomalies": anomalies,
                "peak_score": 1.0 - peak,
                "peak_p_value": peak,
                "peak_time": peak_time,
                "severity": severities[severity],
                "fields": _named_shares(parts, self.shares_MP[m]),
                "vector": self.vector_MV[m].tolist() if known_M[m] else None,
                "space": self.space[m],
            }
            for m, ((rows, anomalies, severity, field), (start, last, peak, peak_time)) in (
                enumerate(numbers)
            )
        ]


@dataclass(frozen=True, slots=True)
class IncidentRecords(Columns):
    """What is told of incidents at some rows of a batch.

    Attributes:
        row_I: Rows, ascending.
        kind_I: Index into `KINDS`.
        incidents: As they are at these rows.
        neighbours: Nearest past incidents of each, nearest first: `incident_id`, `key`,
            `start_time`, `incident_field` and the cosine, `similarity`.
    """

    row_I: IntArray
    kind_I: IntArray
    incidents: IncidentTable
    neighbours: list[list[dict[str, Any]]]

    @classmethod
    def empty(cls, num_parts: int = 0, num_columns: int = 0) -> IncidentRecords:
        """No record, of a stream with so many parts and columns of a vector."""
        none = np.zeros(0, np.int64)
        return cls(none, none, IncidentTable.empty(num_parts, num_columns), [])

    def rows(
        self,
        batch: EventBatch,
        states: Sequence[str],
        parts: Sequence[str],
        severities: Sequence[str],
    ) -> list[dict[str, Any]]:
        """One mapping a record: the event at which it is told, then the incident.

        Args:
            batch: The events of the records.
            states: State of the incident at each.
            parts: Names of the parts.
            severities: Names of the severities.
        """
        kinds = (KINDS[kind] for kind in self.kind_I.tolist())
        events = zip(batch.ids(), batch.event_time.tolist(), kinds, states, strict=True)
        told = zip(events, self.incidents.rows(parts, severities), self.neighbours, strict=True)
        return [
            {"id": i, "event_time": time, "kind": kind, "incident_state": state}
            | incident
            | {"neighbours": near}
            for (i, time, kind, state), incident, near in told
        ]


def _named_shares(parts: Sequence[str], share_P: Float32Array) -> dict[str, float]:
    """Shares by name, the largest first; of equals the first part."""
    order = np.argsort(-share_P, kind="stable")[: np.count_nonzero(share_P)].tolist()
    return {parts[place]: float(share_P[place]) for place in order}
