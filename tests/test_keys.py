"""Keys get slots; the least recent go; a slot is free only after the epoch."""

from __future__ import annotations

import numpy as np

from streamssl.keys import KeyTable, Runs
from tests.stream_learner.streams import batch_of


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
    np.testing.assert_array_equal(np.sort(table.stale(2)), np.sort(slot[2:]))
    np.testing.assert_array_equal(table.stale(3), slot[2:3])


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


def test_runs_describe_the_batch() -> None:
    """Rank counts a key's earlier rows; the last rows are found."""
    runs = Runs(np.array([5, 2, 5, 5, 2]))
    np.testing.assert_array_equal(runs.rank, [0, 0, 1, 2, 1])
    np.testing.assert_array_equal(runs.slots, [2, 5])
    np.testing.assert_array_equal(runs.last, [4, 3])
