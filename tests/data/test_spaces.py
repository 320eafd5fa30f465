"""Slices of vectors: which of them tell incidents apart, and which can be carried over."""

from __future__ import annotations

import numpy as np

from streamssl.data.spaces import SliceMap, SpaceOpening, VectorSlice, carried, carries
from streamssl.data.spaces import incident_slice as columns_of

SLICES = (VectorSlice("state", 0, 2), VectorSlice("fault", 2, 4), VectorSlice("network", 4, 5))
TURN = SliceMap("fault", ((0.0, 1.0), (-1.0, 0.0)), (10.0, 20.0))
OPENING = SpaceOpening("0/space-2", "0/space-1", "doubling", SLICES, (TURN,))


def test_incidents_are_told_apart_by_the_fault_slice_or_by_all() -> None:
    """All columns where there is no such slice; none without embeddings."""
    assert columns_of(SLICES) == slice(2, 4)
    assert columns_of(SLICES[::2]) == slice(0, 5)
    assert columns_of(()) == slice(0, 0)


def test_columns_are_carried_if_every_slice_in_them_has_a_map() -> None:
    """Those of one slice, not all."""
    assert carries(OPENING, slice(2, 4))
    assert not carries(OPENING, slice(0, 5))
    assert not carries(OPENING._replace(maps=()), slice(2, 4))


def test_a_slice_is_carried_wherever_its_columns_stand() -> None:
    """In whole vectors, among its own columns alone, and in sums of vectors."""
    whole = np.array([[1.0, 2.0, 3.0, 4.0, 5.0]], np.float32)
    assert carried(whole, OPENING).tolist() == [[1.0, 2.0, 6.0, 23.0, 5.0]]
    assert carried(whole[:, 2:4], OPENING, slice(2, 4)).tolist() == [[6.0, 23.0]]
    two = carried(2.0 * whole[:, 2:4], OPENING, slice(2, 4), np.array([[2.0]]))
    assert two.tolist() == [[12.0, 46.0]]
