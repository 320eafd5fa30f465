"""Which keys have state, and in which slot of every part's columns.

B = events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.data.events import EventBatch, IntArray
from streamssl.data.keys import KeyColumns

# In place of the partition of keys that were learnt elsewhere and are known by name alone.
CARRIED = -2


class KeyTable:
    """(partition, key) -> slot, bounded at epoch ends by dropping the least recent keys.

    A key that is new begins with a copy of what was carried over of its name, if that was; at the
    end of the epoch in which it came, what was carried is dropped.

    Inside an epoch the table only grows (by at most the epoch's events), so that which key is
    dropped never depends on how polls cut the stream.

    Args:
        parts: Columns of other parts, which always have a row for every slot.
    """

    def __init__(self, parts: Sequence[KeyColumns] = ()) -> None:
        self._parts = parts
        self._slots: dict[int, dict[str, int]] = {}
        self._keys: dict[int, tuple[int, str]] = {}
        self._free: list[int] = []
        self._retired: list[int] = []
        self.columns = KeyColumns(
            partition=((), np.int64, -1),
            first_offset=((), np.int64, -1),
            first_index=((), np.int64, -1),
            last_seen=((), np.int64, -1),
            last_time=((), np.float64, -np.inf),
        )

    def __len__(self) -> int:
        """Number of keys."""
        return len(self._keys)

    def held(self) -> dict[tuple[int, str], int]:
        """Slot of each (partition, key)."""
        return {key: slot for slot, key in self._keys.items()}

    def slots(self) -> IntArray:
        """Slots of the keys, ascending."""
        return np.flatnonzero(self.columns["partition"] >= 0)

    def lookup(self, batch: EventBatch) -> tuple[IntArray, IntArray]:
        """Slots of a batch's keys; unknown keys get one.

        Returns:
            `[B]` slot of each event, and the slots that are new.
        """
        slot_B = np.empty(len(batch), np.int64)
        fresh: list[int] = []
        carried = self._slots.get(CARRIED, {})
        copies: list[tuple[int, int]] = []
        for partition in np.unique(batch.partition).tolist():
            rows = np.flatnonzero(batch.partition == partition)
            encoded = batch.keys.take(pa.array(rows)).dictionary_encode()
            code_B = encoded.indices.to_numpy(zero_copy_only=False)
            names = encoded.dictionary.to_pylist()
            known = self._slots.setdefault(partition, {})
            slots = [*map(known.get, names)]
            if None in slots:
                first = rows[np.unique(code_B, return_index=True)[1]]
                for code in [code for code, slot in enumerate(slots) if slot is None]:
                    row = first[code]
                    begin = int(batch.offset[row]), int(batch.index[row])
                    fresh.append(self._new_slot(partition, names[code], begin))
                    slots[code] = fresh[-1]
                    if names[code] in carried:
                        copies.append((carried[names[code]], fresh[-1]))
            slot_B[rows] = np.array(slots, np.int64)[code_B]
        for columns in self._parts:
            columns.ensure(self.columns.num_slots)
            if copies:
                columns.copy(*np.array(copies, np.int64).T)
        return slot_B, np.array(fresh, np.int64)

    def carry(self) -> IntArray:
        """Know all keys by their names alone: whatever partition brings one goes on from it.

        Of a key that was in several partitions the latest counts.

        Returns:
            The slots carried.
        """
        columns = self.columns
        latest: dict[str, int] = {}
        for slot in sorted(self._keys, key=lambda s: (columns["last_seen"][s], self._keys[s])):
            latest[self._keys[slot][1]] = slot
        self.retire(np.setdiff1d([*self._keys], [*latest.values()]).astype(np.int64))
        self.release()
        self._slots = {CARRIED: latest}
        self._keys = {slot: (CARRIED, key) for key, slot in latest.items()}
        slots = np.fromiter(latest.values(), np.int64, len(latest))
        columns["partition"][slots] = CARRIED
        columns["first_offset"][slots] = columns["first_index"][slots] = -1
        return slots

    def settle(self, slot_B: IntArray) -> None:
        """Drop what was carried over of the keys of `slot_B`: they have it."""
        carried = self._slots.get(CARRIED)
        if carried:
            names = {self._keys[slot][1] for slot in np.unique(slot_B).tolist()}
            taken = [carried[name] for name in names & carried.keys()]
            self.retire(np.array(sorted(taken), np.int64))

    def _new_slot(self, partition: int, key: str, begin: tuple[int, int]) -> int:
        slot = self._free.pop() if self._free else self.columns.num_slots
        self.columns.ensure(slot + 1)
        self._slots[partition][key], self._keys[slot] = slot, (partition, key)
        self.columns["partition"][slot] = partition
        self.columns["first_offset"][slot], self.columns["first_index"][slot] = begin
        return slot

    def touch(self, slot_B: IntArray, epoch: int, time_B: npt.NDArray[np.float64]) -> None:
        """Note that the keys of `slot_B` had events in `epoch`, at event times `time_B`."""
        self.columns["last_seen"][slot_B] = epoch
        np.maximum.at(self.columns["last_time"], slot_B, time_B)

    def evict(self, max_keys: int, before_s: float = -np.inf) -> int:
        """Drop keys without an event since event time `before_s`, and those beyond `max_keys`.

        Every retired slot is free afterwards.

        Returns:
            How many were dropped.
        """
        stale = self._stale(max_keys, before_s)
        self.retire(stale)
        self.release()
        return len(stale)

    def _stale(self, max_keys: int, before_s: float) -> IntArray:
        """Slots to drop: those idle too long, then the least recent.

        Ties go by (partition, first offset, index in it), so that the choice does not depend on
        slot numbers.
        """
        if len(self) <= max_keys and before_s == -np.inf:
            return np.zeros(0, np.int64)
        columns = self.columns
        live = np.fromiter(self._keys, np.int64, len(self._keys))
        is_idle = columns["last_time"][live] < before_s
        rest = np.sort(live[~is_idle])
        excess = max(len(rest) - max_keys, 0)
        if not excess:
            return live[is_idle]
        names = ("first_index", "first_offset", "partition", "last_seen")
        order = np.lexsort([columns[name][rest] for name in names])
        return np.concatenate([live[is_idle], rest[order[:excess]]])

    def of_partition(self, partition: int, from_offset: int = -1) -> IntArray:
        """Slots of a partition's keys that were first seen at `from_offset` or later."""
        columns = self.columns
        mask = (columns["partition"] == partition) & (columns["first_offset"] >= from_offset)
        return np.flatnonzero(mask)

    def retire(self, slots: IntArray) -> None:
        """Forget the keys of `slots`; rows of the open epoch may still point at the slots."""
        for slot in slots.tolist():
            partition, key = self._keys.pop(slot)
            del self._slots[partition][key]
        self._retired.extend(slots.tolist())
        self.columns["partition"][slots] = -1

    def release(self) -> IntArray:
        """Give the retired slots free, for new keys to use, and clear their rows."""
        slots = np.array(sorted(self._retired), np.int64)
        self._free.extend(self._retired)
        self._retired.clear()
        for columns in (self.columns, *self._parts):
            columns.clear(slots)
        return slots

    def bytes_per_key(self) -> int:
        """Bytes that one more key takes in all columns (its name aside)."""
        return sum(columns.bytes_per_key() for columns in (self.columns, *self._parts))

    def state_dict(self) -> dict[str, Any]:
        """Keys, slots and columns."""
        return {
            "keys": [[p, k, slot] for (p, k), slot in self.held().items()],
            "free": list(self._free),
            "retired": list(self._retired),
            "columns": self.columns.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self._slots, self._keys = {}, {}
        for partition, key, slot in state["keys"]:
            self._keys[int(slot)] = int(partition), str(key)
            self._slots.setdefault(int(partition), {})[str(key)] = int(slot)
        self._free = [int(slot) for slot in state["free"]]
        self._retired = [int(slot) for slot in state["retired"]]
        self.columns.load_state_dict(state["columns"])
