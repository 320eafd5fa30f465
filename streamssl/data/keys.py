"""Per-key state: columns with one row per key slot, and how the rows of a batch fall to slots.

B = events, K = keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamssl.data.events import IntArray

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

    Attributes:
        num_slots: Rows of every column.
        version: Grows whenever slots may have gone to other keys.

    Example:
        >>> columns = KeyColumns(count=((), np.int64, 0), mean=((2,), np.float64, 0.0))
        >>> columns.ensure(3)
        >>> columns["mean"].shape
        (3, 2)
    """

    def __init__(self, **columns: Column) -> None:
        self._specs = columns
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self.num_slots = self.version = 0
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
        self.version += 1
        for name, (_, _, initial) in self._specs.items():
            self._arrays[name][slots] = initial

    def copy(self, sources: IntArray, targets: IntArray) -> None:
        """Give the rows of `targets` the values of those of `sources`."""
        self.version += 1
        for column in self._arrays.values():
            column[targets] = column[sources]

    def rows(self, slots: IntArray) -> dict[str, npt.NDArray[Any]]:
        """Copies of the rows of `slots`, by the columns' names."""
        return {name: self._arrays[name][slots] for name in self._specs}

    def put(self, slots: IntArray, rows: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write the rows of `slots`."""
        for name, values in rows.items():
            self._arrays[name][slots] = values

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
        self.version += 1
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


def of_rows(value_KC: npt.NDArray[Any], group_B: IntArray) -> npt.NDArray[Any]:
    """`[B, C]` what each row's key has; of a single key `[1, C]`, which broadcasts."""
    return value_KC if len(value_KC) == 1 else value_KC[group_B]


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
        row_B = np.arange(len(slot_B))
        if len(slot_B) and (slot_B == slot_B[0]).all():
            self.slots, self.counts = slot_B[:1].copy(), np.array([len(slot_B)])
            self.starts, self.group = np.zeros(1, np.int64), np.zeros_like(row_B)
            self.order = self.rank = row_B
            return
        self.order = np.argsort(slot_B, kind="stable")
        sorted_B = slot_B[self.order]
        begins_B = np.ones(len(slot_B), bool)
        np.not_equal(sorted_B[1:], sorted_B[:-1], out=begins_B[1:])
        self.starts = np.flatnonzero(begins_B)
        self.slots = sorted_B[self.starts]
        self.counts = np.diff(self.starts, append=len(slot_B))
        group_B = np.cumsum(begins_B) - 1
        self.group, self.rank = np.empty_like(row_B), np.empty_like(row_B)
        self.group[self.order] = group_B
        self.rank[self.order] = row_B - self.starts[group_B]

    def sorted(self, value_B: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The rows sorted by slot; of a single key they are as they came, and the same array."""
        return value_B if len(self.slots) == 1 else value_B[self.order]

    @property
    def last(self) -> IntArray:
        """`[K]` last row of each key."""
        return self.order[self.starts + self.counts - 1]
