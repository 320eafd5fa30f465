"""Newcomers: first statistics by empirical Bayes, event by event, and only in a mature fleet."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import FloatArray, IntArray
from streamssl.data.keys import Runs
from streamssl.modalities.sensor.fleet_moments import MATURE_ROWS, FleetMoments
from streamssl.modalities.sensor.newcomers import NEW_ROWS, Newcomers

CHANNELS = 2
# Of five keys; the last one is young, and its levels are far off.
LEVELS = np.array([[1.0, 10.0], [2.0, 14.0], [3.0, 12.0], [2.0, 12.0], [90.0, 90.0]])
VARIANCES = np.array([[1.0, 4.0], [2.0, 4.0], [3.0, 4.0], [2.0, 4.0], [900.0, 900.0]])
COUNTS = np.array([1.0, 2.0, 1.0, 1.0, 0.5])[:, None] * np.full((5, CHANNELS), MATURE_ROWS)


def known_fleet() -> FleetMoments:
    """Moments of the four keys that are mature."""
    fleet = FleetMoments(num_channels=CHANNELS)
    fleet.learn(2_816.0, COUNTS, LEVELS, VARIANCES)
    return fleet


def feed(
    slot_B: IntArray, values_BC: FloatArray, cuts: list[int], fleet: FleetMoments
) -> tuple[FloatArray, FloatArray]:
    """Centers and scales of rows that are read and written in pieces; 7 and 1 of no newcomer."""
    newcomers = Newcomers(num_channels=CHANNELS)
    newcomers.fleet = fleet
    newcomers.columns.ensure(int(slot_B.max()) + 1)
    age = np.zeros(int(slot_B.max()) + 1, np.int64)
    center_BC, scale_BC = np.full(values_BC.shape, 7.0), np.ones(values_BC.shape)
    done, turn = 0, 0
    while done < len(slot_B):
        part = slice(done, done + cuts[turn % len(cuts)])
        runs = Runs(slot_B[part])
        age_K, origin_KC = age[runs.slots], np.zeros((len(runs.slots), CHANNELS))
        joined_K = newcomers.joined(runs.slots, age_K)
        after = newcomers.read(
            runs, joined_K, age_K, values_BC[part], origin_KC, center_BC[part], scale_BC[part]
        )
        newcomers.write(after)
        age[runs.slots] += runs.counts
        done, turn = part.stop, turn + 1
    return center_BC, scale_BC


def rows(num_rows: int, seed: int = 0) -> FloatArray:
    """Readings of a machine at levels of its own."""
    return np.random.default_rng(seed).normal((2.5, 13.0), (1.0, 2.0), (num_rows, CHANNELS))


def expected(values_NC: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Center (n m_k + k m_0) / (n + k), v = (n v_k + 24 W) / (n + 24) + W / (n + k), k = W / B."""
    mean, within = LEVELS[:4].mean(0), VARIANCES[:4].mean(0)
    ratio = np.clip(within / LEVELS[:4].var(0, ddof=1), 0.02, 50.0)
    num, own = len(values_NC), values_NC.mean(0) if len(values_NC) else np.zeros(CHANNELS)
    spread = values_NC.var(0) if num else np.zeros(CHANNELS)
    center = (num * own + ratio * mean) / (num + ratio)
    variance = (num * spread + 24 * within) / (num + 24) + within / (num + ratio)
    return center, np.sqrt(variance)


def test_statistics_are_those_of_the_formula() -> None:
    """Of the rows up to the last block's end; none before the first, nor after the 512th."""
    values = rows(600)
    center, scale = feed(np.zeros(600, np.int64), values, [600], known_fleet())
    for row, end in ((0, 0), (15, 0), (16, 16), (31, 24), (100, 96), (511, 384)):
        found = expected(values[:end])
        np.testing.assert_allclose(center[row], found[0], rtol=0.02)
        np.testing.assert_allclose(scale[row], found[1], rtol=0.02)
    assert (center[NEW_ROWS:] == 7.0).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(1, 90), min_size=1, max_size=5))
def test_cuts_change_no_bit(seed: int, cuts: list[int]) -> None:
    """Any cut of the rows of several keys, some values missing, gives the same statistics."""
    values, generator = rows(300, seed), np.random.default_rng(seed)
    values[generator.random(values.shape) < 0.1] = np.nan
    slot_B = generator.integers(0, 3, 300)
    whole = feed(slot_B, values, [300], known_fleet())
    cut = feed(slot_B, values, cuts, known_fleet())
    np.testing.assert_array_equal(whole, cut)


def test_nobody_joins_a_fleet_that_is_not_mature() -> None:
    """Two keys that learned enough are no fleet."""
    fleet = FleetMoments(num_channels=CHANNELS)
    fleet.learn(1_600.0, COUNTS[[0, 1, 4]], LEVELS[[0, 1, 4]], VARIANCES[[0, 1, 4]])
    assert not fleet.is_mature
    center, scale = feed(np.zeros(50, np.int64), rows(50), [50], fleet)
    assert (center == 7.0).all()
    assert (scale == 1.0).all()


def test_an_impossible_reading_moves_little() -> None:
    """Among the first rows, and later."""
    values = rows(200)
    spoiled = values.copy()
    spoiled[5, 0] = spoiled[150, 1] = 1e12
    center, _ = feed(np.zeros(200, np.int64), values, [200], known_fleet())
    odd, scale = feed(np.zeros(200, np.int64), spoiled, [200], known_fleet())
    assert (np.abs(odd - center) < 2.5 * scale).all()
    assert np.abs(odd - center)[-1, 0] < 0.3


def test_the_fleet_is_looked_at_again_as_it_grows() -> None:
    """After an eighth more rows; a restored one is the same."""
    fleet = known_fleet()
    assert not fleet.is_due(3_100.0)
    assert fleet.is_due(3_200.0)
    again = FleetMoments(num_channels=CHANNELS)
    again.load_state_dict(fleet.state_dict())
    assert again.is_mature
    sums, origin = np.ones((3, 1, CHANNELS)), np.zeros((1, CHANNELS))
    np.testing.assert_array_equal(again.shrunk(sums, origin), fleet.shrunk(sums, origin))
