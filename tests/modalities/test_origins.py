"""Origins of channels: levels cost no digits, and no early reading moves them far off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import FloatArray, IntArray
from streamssl.modalities.sensor.origins import FARTHEST_ORIGIN, Origins

NAN = float("nan")
CHANNELS = 2


def fresh(num_keys: int = 1) -> Origins:
    """Origins of keys that have seen nothing."""
    origins = Origins(num_channels=CHANNELS)
    origins.columns.ensure(num_keys)
    return origins


def feed(origins: Origins, slot_B: IntArray, values_BC: FloatArray, cuts: list[int]) -> FloatArray:
    """Values less their origins, read and written in pieces."""
    out, begin, turn = [np.zeros((0, CHANNELS))], 0, 0
    while begin < len(slot_B):
        part = slice(begin, begin + cuts[turn % len(cuts)])
        about, read = origins.read(slot_B[part], values_BC[part])
        known = read.of(slot_B[part])
        origins.write(read)
        np.testing.assert_array_equal(origins.of(slot_B[part]), known)
        out.append(about)
        begin, turn = part.stop, turn + 1
    return np.concatenate(out)


def test_a_channel_begins_with_its_third_value() -> None:
    """Its origin is the median of three; missing values, and other channels, do not count."""
    values = np.array([[7.0, NAN], [NAN, 1.0], [9.0, 5.0], [8.0, NAN], [NAN, 2.0], [10.0, 2.5]])
    origins = fresh()
    about = feed(origins, np.zeros(6, np.int64), values, [6])
    np.testing.assert_array_equal(origins.of(np.array([0])), [[8.0, 2.0]])
    begun = np.array([[NAN, NAN], [NAN, NAN], [NAN, NAN], [0.0, NAN], [NAN, 0.0], [2.0, 0.5]])
    np.testing.assert_array_equal(about, begun)


@pytest.mark.parametrize("row", [0, 1, 2])
@pytest.mark.parametrize("value", [-9999.0, 1e9, 3e38])
def test_one_impossible_reading_among_the_first_moves_no_origin_far(row: int, value: float) -> None:
    """Whichever of the first three it is, the origin is one of the others."""
    values = np.array([[20.5, 20.0], [21.0, 20.25], [20.75, 20.5], [20.5, 20.0]])
    values[row, 1] = value
    origins = fresh()
    feed(origins, np.zeros(4, np.int64), values, [4])
    assert 20.0 <= origins.of(np.array([0]))[0, 1] <= 20.5


def test_what_is_too_large_for_float64_has_no_origin() -> None:
    """About 3e38 a difference may be more than float32 holds: such values stay as they are."""
    values = np.full((4, CHANNELS), [3e38, 2.0 * FARTHEST_ORIGIN])
    about = feed(fresh(), np.zeros(4, np.int64), values, [2])
    np.testing.assert_array_equal(about[2:], values[2:])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(1, 20), min_size=1, max_size=5))
def test_cuts_change_no_bit(seed: int, cuts: list[int]) -> None:
    """Differences are the same however rows of several keys are cut, missing ones too."""
    generator = np.random.default_rng(seed)
    slot = generator.integers(0, 3, 40)
    values = generator.normal(size=(40, CHANNELS)) + 1e9
    values[generator.random(values.shape) < 0.4] = NAN
    whole, pieces = (feed(fresh(3), slot, values, sizes) for sizes in ([40], cuts))
    np.testing.assert_array_equal(pieces, whole)


def test_keys_do_not_mix() -> None:
    """A key's origins are what they would be alone."""
    values = np.random.default_rng(1).normal(size=(30, CHANNELS))
    slot = np.arange(30) % 3
    together, alone = fresh(3), fresh(3)
    feed(together, slot, values, [7])
    feed(alone, slot[slot == 1], values[slot == 1], [10])
    at = np.array([1])
    np.testing.assert_array_equal(together.of(at), alone.of(at))


def test_reading_changes_nothing_and_the_state_carries_everything() -> None:
    """What was read but not written is not there; one that takes over the state goes on alike."""
    values = np.random.default_rng(2).normal(size=(6, CHANNELS))
    slot, origins, other = np.zeros(6, np.int64), fresh(), fresh()
    origins.read(slot, values)
    np.testing.assert_array_equal(origins.columns["first"], np.full((1, 2, CHANNELS), NAN))
    feed(origins, slot[:2], values[:2], [2])
    other.load_state_dict(origins.state_dict())
    np.testing.assert_array_equal(other.read(slot, values)[0], origins.read(slot, values)[0])
