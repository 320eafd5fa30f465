"""Columns of one row a key, and the rows of a batch by key."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.data.keys import KeyColumns, Runs


def test_columns_of_another_shape_are_refused() -> None:
    """A state of other sizes is told, with both shapes, before anything is taken over."""
    wide, narrow = KeyColumns(x=((3,), np.float64, 0.0)), KeyColumns(x=((2,), np.float64, 0.0))
    wide.ensure(4)
    with pytest.raises(ValueError, match=r"'x'.*\(3,\), not \(2,\)"):
        narrow.load_state_dict(wide.state_dict())
    assert narrow.num_slots == 0


def test_runs_describe_the_batch() -> None:
    """Rank counts a key's earlier rows; the last rows are found."""
    runs = Runs(np.array([5, 2, 5, 5, 2]))
    np.testing.assert_array_equal(runs.rank, [0, 0, 1, 2, 1])
    np.testing.assert_array_equal(runs.slots, [2, 5])
    np.testing.assert_array_equal(runs.last, [4, 3])
