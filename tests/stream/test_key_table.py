"""Keys get slots; the least recent go; a slot is free only after the epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamssl.data.keys import KeyColumns
from streamssl.stream.key_table import KeyTable
from tests.stream.streams import batch_of


def test_same_key_same_slot() -> None:
    """A key keeps its slot; the same name in another partition is another key."""
    table = KeyTable()
    batch = batch_of(np.zeros((6, 1)), [0, 1, 0, 2, 3, 1], num_partitions=2)
    slot, new = table.lookup(batch)
    again, none = table.lookup(batch)
    np.testing.assert_array_equal(slot, again)
    assert len(set(slot.tolist())) == len(new) == len(table) == 4
    assert not len(none)


def test_the_least_recent_keys_are_stale() -> None:
    """Beyond the bound, keys of the oldest epoch go first, ties by where they were first seen."""
    table = KeyTable()
    slot, _ = table.lookup(batch_of(np.zeros((4, 1)), [0, 1, 2, 3]))
    table.touch(slot, 1, np.arange(4.0))
    table.touch(slot[:2], 2, np.arange(2.0))
    assert (table.evict(3), [*table.held()]) == (1, [(0, "k0"), (0, "k1"), (0, "k3")])


def test_a_retired_slot_is_given_out_after_release() -> None:
    """Rows of the open epoch still point at a retired slot, so it must wait."""
    table = KeyTable()
    slot, _ = table.lookup(batch_of(np.zeros((1, 1)), [0]))
    table.retire(slot)
    other, _ = table.lookup(batch_of(np.zeros((1, 1)), [1]))
    assert other[0] != slot[0]
    np.testing.assert_array_equal(table.release(), slot)
    third, _ = table.lookup(batch_of(np.zeros((1, 1)), [2]))
    assert third[0] == slot[0]


def test_keys_of_one_message_go_in_its_order() -> None:
    """Keys first seen in one packed message are told apart by their index in it, not by slots."""
    packed = batch_of(np.zeros((3, 1)), [0, 1, 2])
    packed = replace(packed, offset=np.full(3, 7), index=np.array([0, 1, 2]))
    table = KeyTable()
    for row in (2, 0, 1):  # the slots are in another order than the message
        slot, _ = table.lookup(packed.take(np.array([row])))
        table.touch(slot, 1, np.zeros(1))
    assert (table.evict(2), [*table.held()]) == (1, [(0, "k2"), (0, "k1")])


def test_retired_slots_are_part_of_the_state() -> None:
    """A restart between retiring and release frees the same slots."""
    table, other = KeyTable(), KeyTable()
    slot, _ = table.lookup(batch_of(np.zeros((3, 1)), [0, 1, 2]))
    table.retire(slot[1:2])
    other.load_state_dict(table.state_dict())
    np.testing.assert_array_equal(other.release(), slot[1:2])
    assert len(other) == 2


def test_columns_of_all_parts_have_a_row_for_every_key() -> None:
    """They grow with the table, and a slot given out again holds nothing of its last key."""
    part = KeyColumns(count=((), np.int64, 7))
    table = KeyTable([part])
    slot, _ = table.lookup(batch_of(np.zeros((3, 1)), [0, 1, 2]))
    assert part["count"].tolist() == [7, 7, 7]
    part["count"][:] = 1
    table.touch(slot, 1, np.array([10.0, 20.0, 30.0]))
    assert table.evict(3, before_s=20.0) == 1
    assert sorted(part["count"].tolist()) == [1, 1, 7]
    assert table.bytes_per_key() == 8 + table.columns.bytes_per_key()
