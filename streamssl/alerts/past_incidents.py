"""Finished incidents, and which of them are the nearest to one that is told.

I = incidents that are told, M = remembered ones, V = columns of an incident's vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.incident_records import IncidentTable
from streamssl.data.keys import check_shape
from streamssl.data.spaces import SpaceOpening, carried, carries

_ARRAYS = ("shares_MP", "vector_MV", "counts_MX", "numbers_MX")


class PastIncidents:
    """The newest finished incidents; of more than it keeps the oldest go.

    Args:
        num_parts: P.
        columns: The V columns of an embedding by which incidents are told apart.
        capacity: M at most.

    Attributes:
        table: The incidents, oldest first.
    """

    def __init__(self, *, num_parts: int, columns: slice, capacity: int = 1_000) -> None:
        self.capacity, self._columns = capacity, columns
        self.table = IncidentTable.empty(num_parts, columns.stop - columns.start)

    def nearest(
        self, told: IncidentTable, parts: Sequence[str], count: int
    ) -> list[list[dict[str, Any]]]:
        """The nearest past incidents of the same embedding space, nearest first.

        By the cosine of the vectors; of equally near ones the oldest first. An incident is not
        among its own, one without a vector has none.

        Args:
            told: Incidents of one space.
            parts: Names of the parts.
            count: How many of each, at most.
        """
        found: list[list[dict[str, Any]]] = [[] for _ in told.key]
        known, past = np.flatnonzero(told.has_vector()), self._comparable(told.space)
        if not (len(known) and len(past) and count):
            return found
        mine_IV = _unit(told.vector_MV[known])
        theirs_MV = _unit(self.table.vector_MV[past])
        cosine_IM = tiled_matmul(mine_IV, np.ascontiguousarray(theirs_MV.T))
        ids_M = np.array(self.table.incident_id)[past]
        for i, cosine_M in zip(known.tolist(), cosine_IM, strict=True):
            cosine_M[ids_M == told.incident_id[i]] = -np.inf
            order_M = np.argsort(-cosine_M, kind="stable")[:count].tolist()
            near = [m for m in order_M if np.isfinite(cosine_M[m])]
            found[i] = [self._named(int(past[m]), float(cosine_M[m]), parts) for m in near]
        return found

    def _comparable(self, space: Sequence[str]) -> IntArray:
        """Remembered incidents with a vector in the space of those that are told."""
        same_M = np.array([name == space[0] for name in self.table.space], np.bool_)
        return np.flatnonzero(same_M & self.table.has_vector())

    def _named(self, m: int, cosine: float, parts: Sequence[str]) -> dict[str, Any]:
        return {
            "incident_id": self.table.incident_id[m],
            "key": self.table.key[m],
            "start_time": float(self.table.number("start_time")[m]),
            "incident_field": (*parts, None)[int(self.table.count("field")[m])],
            "similarity": cosine,
        }

    def open_space(self, opening: SpaceOpening) -> None:
        """Carry vectors of the space before over to a new one; those without a map stay behind."""
        if not carries(opening, self._columns):
            return
        table, previous = self.table, opening.previous
        moved_M = np.array([name == previous for name in table.space], np.bool_)
        vector_MV = table.vector_MV.copy()
        vector_MV[moved_M] = carried(vector_MV[moved_M], opening, self._columns)
        space = [opening.space if name == previous else name for name in table.space]
        self.table = replace(table, vector_MV=vector_MV, space=space)

    def learn(self, finished: IncidentTable | None) -> None:
        """Remember incidents that have ended, in the order in which they did; None: none have."""
        if finished is not None and self.capacity:
            both = IncidentTable.concat([self.table, finished])
            self.table = both.take(slice(max(len(both.key) - self.capacity, 0), None))

    def state_dict(self) -> dict[str, Any]:
        """The incidents, by the names of their columns."""
        columns = {field.name: getattr(self.table, field.name) for field in fields(self.table)}
        return {name: column.copy() for name, column in columns.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; under a smaller capacity the newest.

        Raises:
            ValueError: They are of other parts, or of embeddings of another size.
        """
        for name in _ARRAYS:
            check_shape(name, state[name], getattr(self.table, name).shape[1:])
        arrays = {name: np.array(state[name]) for name in _ARRAYS}
        table = IncidentTable(**{**state, **arrays})
        self.table = table.take(slice(max(len(table.key) - self.capacity, 0), None))


def _unit(vector_MV: Float32Array) -> FloatArray:
    """Vectors of length one, those of length nought as they are."""
    exact_MV = vector_MV.astype(np.float64)
    length_M1 = np.sqrt((exact_MV * exact_MV).sum(1, keepdims=True))
    return exact_MV / np.where(length_M1 > 0.0, length_M1, 1.0)
