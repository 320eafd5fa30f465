"""Keys and their slots: per-key state lives in columns with one row per slot.

B = events, K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.events import BoolArray, EventBatch, IntArray

Column = tuple[tuple[int, ...], npt.DTypeLike, float]


def check_shape(name: str, array: npt.NDArray[Any], shape: tuple[int, ...]) -> None:
    """Refuse an array whose rows have another shape.

    Raises:
        ValueError: It says which array, and both shapes.
    """
    if array.shape[1:] != shape:
        raise ValueError(f"rows of {name!r} have the shape {array.shape[1:]}, not {shape}")


class KeyColumns:
    """Arrays with one row per key slot, grown together by doubling.

    Args:
        columns: Name -> (shape of one row, dtype, initial value).

    Example:
        >>> columns = KeyColumns(count=((), np.int64, 0), mean=((2,), np.float64, 0.0))
        >>> columns.ensure(3)
        >>> columns["mean"].shape
        (3, 2)
    """

    def __init__(self, **columns: Column) -> None:
        self._specs = columns
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self.num_slots = 0
        self.load_state_dict({})

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """The column `name`, `[num_slots, ...]`; write through it."""
        return self._arrays[name][: self.num_slots]

    def ensure(self, num_slots: int) -> None:
        """Have at least `num_slots` rows; new ones hold the initial value."""
        if num_slots <= self.num_slots:
            return
        capacity = len(next(iter(self._arrays.values())))
        if num_slots > capacity:
            self._grow(max(num_slots, 2 * capacity))
        for name, (_, _, initial) in self._specs.items():
            self._arrays[name][self.num_slots : num_slots] = initial
        self.num_slots = num_slots

    def clear(self, slots: IntArray) -> None:
        """Give the rows of `slots` their initial value again."""
        for name, (_, _, initial) in self._specs.items():
            self._arrays[name][slots] = initial

    def bytes_per_key(self) -> int:
        """Bytes of one row of all columns."""
        return sum(
            int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            for shape, dtype, _ in self._specs.values()
        )

    def state_dict(self) -> dict[str, npt.NDArray[Any]]:
        """Copies of all columns."""
        return {name: self[name].copy() for name in self._specs}

    def load_state_dict(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take over what `state_dict` gave; an empty mapping empties the columns.

        Raises:
            ValueError: A row has another shape.
        """
        for name, (shape, _, _) in self._specs.items() if state else ():
            check_shape(name, state[name], shape)
        self.num_slots = len(state[next(iter(self._specs))]) if state else 0
        for name, (shape, dtype, _) in self._specs.items():
            self._arrays[name] = np.array(state[name]) if state else np.empty((0, *shape), dtype)

    def _grow(self, capacity: int) -> None:
        # Rows that no key has yet are not written, so that they take no memory.
        for name, (shape, dtype, _) in self._specs.items():
            grown = np.empty((capacity, *shape), dtype)
            grown[: self.num_slots] = self._arrays[name][: self.num_slots]
            self._arrays[name] = grown


class Runs:
    """How the rows of a batch fall to keys, for arithmetic over all keys at once.

    Args:
        slot_B: Slot of each row's key; rows of one key are in the order of its events.

    Attributes:
        slots: `[K]` distinct slots, ascending.
        counts: `[K]` rows of each.
        order: `[B]` rows sorted by slot, in order within a slot.
        starts: `[K]` where each slot's rows begin in `order`.
        group: `[B]` index into `slots` of each row.
        rank: `[B]` how many rows of the same key came before in the batch.
    """

    def __init__(self, slot_B: IntArray) -> None:
        self.order = np.argsort(slot_B, kind="stable")
        sorted_B, row_B = slot_B[self.order], np.arange(len(slot_B))
        begins_B = np.ones(len(slot_B), bool)
        np.not_equal(sorted_B[1:], sorted_B[:-1], out=begins_B[1:])
        self.starts = np.flatnonzero(begins_B)
        self.slots = sorted_B[self.starts]
        self.counts = np.diff(self.starts, append=len(slot_B))
        group_B = np.cumsum(begins_B) - 1
        self.group, self.rank = np.empty_like(row_B), np.empty_like(row_B)
        self.group[self.order] = group_B
        self.rank[self.order] = row_B - self.starts[group_B]

    @property
    def last(self) -> IntArray:
        """`[K]` last row of each key."""
        return self.order[self.starts + self.counts - 1]


class KeyTable:
    """(partition, key) -> slot, bounded at epoch ends by dropping the least recent keys.

    Inside an epoch the table only grows (by at most the epoch's events), so that which key is
    dropped never depends on how polls cut the stream.
    """

    def __init__(self) -> None:
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

    @property
    def num_slots(self) -> int:
        """Rows that per-key columns need."""
        return self.columns.num_slots

    def lookup(self, batch: EventBatch) -> tuple[IntArray, IntArray]:
        """Slots of a batch's keys; unknown keys get one.

        Returns:
            `[B]` slot of each event, and the slots that are new.
        """
        slot_B = np.empty(len(batch), np.int64)
        fresh: list[int] = []
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
            slot_B[rows] = np.array(slots, np.int64)[code_B]
        return slot_B, np.array(fresh, np.int64)

    def _new_slot(self, partition: int, key: str, begin: tuple[int, int]) -> int:
        slot = self._free.pop() if self._free else self.num_slots
        self.columns.ensure(slot + 1)
        self._slots[partition][key], self._keys[slot] = slot, (partition, key)
        self.columns["partition"][slot] = partition
        self.columns["first_offset"][slot], self.columns["first_index"][slot] = begin
        return slot

    def touch(self, slot_B: IntArray, epoch: int, time_B: npt.NDArray[np.float64]) -> None:
        """Note that the keys of `slot_B` had events in `epoch`, at event times `time_B`."""
        self.columns["last_seen"][slot_B] = epoch
        np.maximum.at(self.columns["last_time"], slot_B, time_B)

    def stale(self, max_keys: int, expired: BoolArray | None = None) -> IntArray:
        """Slots to drop so that at most `max_keys` remain: expired ones, then the least recent.

        Ties go by (partition, first offset, index in it), so that the choice does not depend on
        slot numbers.
        """
        if expired is None and len(self) <= max_keys:
            return np.zeros(0, np.int64)
        live = np.fromiter(self._keys, np.int64, len(self._keys))
        gone = live[expired[live]] if expired is not None else live[:0]
        rest = np.setdiff1d(live, gone)
        excess = len(rest) - max_keys
        if excess > 0:
            columns = self.columns
            order = np.lexsort(
                (
                    columns["first_index"][rest],
                    columns["first_offset"][rest],
                    columns["partition"][rest],
                    columns["last_seen"][rest],
                )
            )
            gone = np.concatenate([gone, rest[order[:excess]]])
        return gone

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
        """Give the retired slots free, for new keys to use; the owner clears their columns."""
        slots = np.array(sorted(self._retired), np.int64)
        self._free.extend(self._retired)
        self._retired.clear()
        self.columns.clear(slots)
        return slots

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
