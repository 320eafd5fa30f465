"""Which part an incident is about: the one that its first anomalies name the most.

B = events, K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from streamssl.alerts.incidents import MUTED, NONE, START
from streamssl.data.events import BoolArray, IntArray
from streamssl.data.keys import KeyColumns

# docs/research-log.md, "Constants of the arithmetic"
NUM_FIRST = 8
NOBODY = -1


class FieldStep(NamedTuple):
    """What the first anomalies of the keys' incidents named, after a batch (not yet written)."""

    slots: IntArray
    first_KX: IntArray


class IncidentFields:
    """The parts that the first anomalies of every key's incident named."""

    def __init__(self) -> None:
        self.columns = KeyColumns(first=((NUM_FIRST,), np.int64, NOBODY))

    def read(
        self, slot_B: IntArray, state_B: IntArray, anomaly_B: BoolArray, part_B: IntArray
    ) -> tuple[IntArray, FieldStep]:
        """Part of each row's incident (each key's rows in order); changes nothing.

        It is the most named of the first eight anomalies, of equals the first; -1 outside.

        Args:
            slot_B: Slot of each row's key.
            state_B: Index into `INCIDENT_STATES`.
            anomaly_B: Which rows are anomalies.
            part_B: Part that stands out in each.
        """
        rows = np.flatnonzero((state_B != NONE) & (state_B != MUTED))
        found_B, named = np.full(len(slot_B), NOBODY), dict[int, list[int]]()
        columns = (slot_B[rows], state_B[rows], anomaly_B[rows], part_B[rows])
        for row, slot, state, anomaly, part in zip(
            rows.tolist(), *(column.tolist() for column in columns), strict=True
        ):
            first = named.setdefault(slot, self._held(slot)) if state != START else []
            named[slot] = first
            if anomaly and len(first) < NUM_FIRST:
                first.append(part)
            if first:
                found_B[row] = max(first, key=first.count)
        slots = np.array([*named], np.int64)
        first_KX = np.full((len(slots), NUM_FIRST), NOBODY)
        for key, first in enumerate(named.values()):
            first_KX[key, : len(first)] = first
        return found_B, FieldStep(slots, first_KX)

    def _held(self, slot: int) -> list[int]:
        return [part for part in self.columns["first"][slot].tolist() if part != NOBODY]

    def write(self, step: FieldStep) -> None:
        """Move on to what `read` returned."""
        self.columns["first"][step.slots] = step.first_KX

    def state_dict(self) -> dict[str, Any]:
        """What the first anomalies named, by key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)
