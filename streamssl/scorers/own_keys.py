"""Which keys have covariances of their own: the busiest ones, all others share entry 0.

K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.events import IntArray
from streamssl.keys import KeyColumns, Runs

MEMORY_EPOCHS = 64.0
CHALLENGE = 2.0
CHALLENGE_EVENTS = 256
SWAPS_PER_EPOCH = 4


class OwnKeys:
    """Entries 1..own_keys, given to keys by activity; entry 0 is everybody's.

    Args:
        own_keys: Entries to give out.
    """

    def __init__(self, *, own_keys: int = 64) -> None:
        self.own_keys = own_keys
        self.columns = KeyColumns(
            entry=((), np.int64, 0), activity=((), np.float64, 0.0), events=((), np.int64, 0)
        )

    @property
    def num_entries(self) -> int:
        """Entries in use, the shared one included."""
        entry = self.columns["entry"]
        return 1 + int(entry.max(initial=0))

    def assign(self, slot_B: IntArray) -> list[tuple[int, int]]:
        """Count an epoch's rows and give out entries.

        Args:
            slot_B: Slots of the epoch's rows, in (partition, offset) order; keys of equal
                activity are served in the order of their first row.

        Returns:
            (slot, entry) of the keys that have an entry of their own from now on.
        """
        columns, runs = self.columns, Runs(slot_B)
        columns["activity"][:] *= 1.0 - 1.0 / MEMORY_EPOCHS
        columns["activity"][runs.slots] += runs.counts
        columns["events"][runs.slots] += runs.counts
        first = runs.order[runs.starts]
        shared = columns["entry"][runs.slots] == 0
        slots, first = runs.slots[shared], first[shared]
        ranked = slots[np.lexsort((first, -columns["activity"][slots]))]
        return self._fill(ranked) + self._swap(ranked)

    def _fill(self, ranked: IntArray) -> list[tuple[int, int]]:
        """Give the free entries to the first of `ranked`."""
        taken = set(self.columns["entry"].tolist())
        free = [entry for entry in range(1, self.own_keys + 1) if entry not in taken]
        given = list(zip(ranked.tolist(), free, strict=False))
        for slot, entry in given:
            self.columns["entry"][slot] = entry
        return given

    def _swap(self, ranked: IntArray) -> list[tuple[int, int]]:
        """Let keys that are twice as busy take the places of the least busy owners."""
        columns, given = self.columns, []
        activity = columns["activity"]
        for slot in ranked[:SWAPS_PER_EPOCH].tolist():
            owners = np.flatnonzero(columns["entry"])
            if (
                columns["entry"][slot]
                or columns["events"][slot] < CHALLENGE_EVENTS
                or not len(owners)
            ):
                continue
            weakest = owners[np.lexsort((columns["entry"][owners], activity[owners]))[0]]
            if activity[slot] > CHALLENGE * activity[weakest]:
                columns["entry"][slot] = columns["entry"][weakest]
                columns["entry"][weakest] = 0
                given.append((slot, int(columns["entry"][slot])))
        return given

    def state_dict(self) -> dict[str, Any]:
        """Who owns what."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)
