"""Which keys have covariances of their own: the busiest ones, all others share entry 0.

K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.events import IntArray
from streamssl.data.keys import KeyColumns, Runs

# docs/research-log.md, "Constants of the arithmetic"
MEMORY_EPOCHS = 64.0
SWAP_RATIO = 2.0
SWAP_EVENTS = 256
SWAPS_PER_EPOCH = 4
UNOWNED = -1


class OwnKeys:
    """Entries 1..own_keys, assigned to keys by activity; entry 0 is everybody's.

    Activity is a decayed count of events: a <- (1 - 1/64) a + n at each epoch's end.

    Args:
        own_keys: Entries to assign.
    """

    def __init__(self, *, own_keys: int = 64) -> None:
        self.own_keys = own_keys
        self.columns = KeyColumns(
            entry=((), np.int64, 0), activity=((), np.float64, 0.0), events=((), np.int64, 0)
        )
        self._owner_E = np.full(own_keys + 1, UNOWNED)

    @property
    def num_entries(self) -> int:
        """Entries in use, the shared one included."""
        return 1 + int(np.flatnonzero(self._owner_E != UNOWNED).max(initial=0))

    def assign(self, slot_B: IntArray) -> list[tuple[int, int]]:
        """Count an epoch's rows and assign entries.

        Args:
            slot_B: Slots of the epoch's rows, in (partition, offset) order; keys of equal
                activity are served in the order of their first row.

        Returns:
            (slot, entry) of the keys that have an entry of their own from now on.
        """
        columns, runs = self.columns, Runs(slot_B)
        self._pass_on(runs)
        self._free_dropped()
        columns["activity"][:] *= 1.0 - 1.0 / MEMORY_EPOCHS
        columns["activity"][runs.slots] += runs.counts
        columns["events"][runs.slots] += runs.counts
        first = runs.order[runs.starts]
        shared = columns["entry"][runs.slots] == 0
        slots, first = runs.slots[shared], first[shared]
        ranked = slots[np.lexsort((first, -columns["activity"][slots]))]
        return self._fill(ranked) + self._swap(ranked)

    def _pass_on(self, runs: Runs) -> None:
        """Give entries to the keys that go on from another slot, in the order of their rows.

        Such a key begins with a copy of the other's columns, so that both name one entry.
        """
        entry = self.columns["entry"]
        copied = (entry > 0) & (self._owner_E[entry] != np.arange(len(entry)))
        if not copied.any():
            return
        passed: set[int] = set()
        for slot in runs.slots[np.argsort(runs.order[runs.starts])].tolist():
            if copied[slot] and entry[slot] not in passed:
                passed.add(int(entry[slot]))
                copied[slot] = False
                entry[self._owner_E[entry[slot]]] = 0
                self._owner_E[entry[slot]] = slot
        entry[copied] = 0

    def _fill(self, ranked: IntArray) -> list[tuple[int, int]]:
        """Assign the free entries to the first of `ranked`."""
        free = 1 + np.flatnonzero(self._owner_E[1:] == UNOWNED)
        assigned = list(zip(ranked.tolist(), free.tolist(), strict=False))
        for slot, entry in assigned:
            self._assign(slot, entry)
        return assigned

    def _swap(self, ranked: IntArray) -> list[tuple[int, int]]:
        """Move entries of the least active owners to keys that are twice as active."""
        columns, assigned = self.columns, []
        activity = columns["activity"]
        for slot in ranked[:SWAPS_PER_EPOCH].tolist():
            owners = self._owner_E[self._owner_E != UNOWNED]
            if columns["entry"][slot] or columns["events"][slot] < SWAP_EVENTS or not len(owners):
                continue
            weakest = owners[np.lexsort((columns["entry"][owners], activity[owners]))[0]]
            if activity[slot] > SWAP_RATIO * activity[weakest]:
                entry, columns["entry"][weakest] = int(columns["entry"][weakest]), 0
                self._assign(slot, entry)
                assigned.append((slot, entry))
        return assigned

    def _assign(self, slot: int, entry: int) -> None:
        self.columns["entry"][slot] = entry
        self._owner_E[entry] = slot

    def _free_dropped(self) -> None:
        """Entries whose keys were dropped since are free again."""
        entry = self.columns["entry"]
        owned = np.flatnonzero(self._owner_E != UNOWNED)
        slots = self._owner_E[owned]
        dropped = (slots >= len(entry)) | (entry[np.minimum(slots, len(entry) - 1)] != owned)
        self._owner_E[owned[dropped]] = UNOWNED

    def state_dict(self) -> dict[str, Any]:
        """Entry, activity and events of every key."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over the owners; under fewer entries, those that still fit."""
        self.columns.load_state_dict(state)
        entry = self.columns["entry"]
        entry[entry > self.own_keys] = 0
        slots = np.flatnonzero(entry)
        self._owner_E[:] = UNOWNED
        self._owner_E[entry[slots]] = slots
