"""The first level of a newcomer: a mean that stands within blocks, wherever reads are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.first_level import ALERT_ROWS, NO_CONTEXT, FirstLevel, by_all_keys
from streamssl.alerts.tables import Tables, tables_of
from streamssl.arithmetic.histogram import NUM_BINS
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import Runs


def feed(
    slot_B: IntArray, value_B: FloatArray, cuts: list[int], old_key: int = -1
) -> tuple[FloatArray, BoolArray]:
    """Levels of rows that are read and written in pieces, and which of them may alert."""
    first = FirstLevel()
    first.columns.ensure(int(slot_B.max()) + 1)
    levels, alerts, done, turn = [], [], 0, 0
    while done < len(slot_B):
        part = slice(done, done + cuts[turn % len(cuts)])
        newcomer_B = slot_B[part] != old_key
        level_B, may_alert_B, step = first.read(Runs(slot_B[part]), newcomer_B, value_B[part])
        first.write(step)
        levels.append(level_B)
        alerts.append(may_alert_B)
        done, turn = part.stop, turn + 1
    return np.concatenate(levels), np.concatenate(alerts)


def test_the_level_is_the_mean_up_to_the_last_block() -> None:
    """Of the rows from the ninth on; none before the sixteenth; after the 512th it stays."""
    value_N = np.random.default_rng(0).normal(150.0, 10.0, 700)
    level_N, may_alert_N = feed(np.zeros(700, np.int64), value_N, [700])
    assert np.isnan(level_N[:16]).all()
    for row, end in ((16, 16), (23, 16), (40, 32), (63, 48), (500, 384), (699, 512)):
        np.testing.assert_allclose(level_N[row], value_N[NO_CONTEXT:end].mean())
    assert not may_alert_N[:ALERT_ROWS].any()
    assert may_alert_N[ALERT_ROWS:].all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(1, 90), min_size=1, max_size=5))
def test_cuts_change_no_bit(seed: int, cuts: list[int]) -> None:
    """Any cut gives the same levels; a key that is no newcomer has none and may not alert."""
    generator = np.random.default_rng(seed)
    slot_B, value_B = generator.integers(0, 3, 400), generator.normal(150.0, 10.0, 400)
    level_B, may_alert_B = feed(slot_B, value_B, [400], old_key=1)
    again_B, may_again_B = feed(slot_B, value_B, cuts, old_key=1)
    np.testing.assert_array_equal(level_B, again_B)
    np.testing.assert_array_equal(may_alert_B, may_again_B)
    assert np.isnan(level_B[slot_B == 1]).all()
    assert not may_alert_B[slot_B == 1].any()


def table(middle: float) -> Tables:
    """Of ordinary evidence about a place."""
    place_N = np.random.default_rng(1).normal(middle, 5.0, 20_000).astype(np.int64)
    counts_1N = np.bincount(place_N, minlength=NUM_BINS)[None].astype(np.float64)
    return Tables(tables_of(counts_1N, np.zeros(1, np.int64), np.zeros((1, NUM_BINS))))


def test_a_key_unlike_the_others_is_no_alarm_by_that_alone() -> None:
    """Far over all keys' evidence, but at its own level; far over both it is rare."""
    position_R, level_R = np.array([120.0, 220.0, 260.0]), np.array([120.0, 220.0, 220.0])
    usual, unlike, rare = by_all_keys(table(120.0), table(160.0), position_R, level_R)
    assert usual > 0.3
    assert unlike > 0.03
    assert rare < 1e-4


def test_a_level_a_little_above_the_others_is_taken_off() -> None:
    """Few rows make evidence larger: p is what it would be of four bins less, and no more."""
    position_R = np.array([134.0, 134.0, 134.0])
    p_R = by_all_keys(table(120.0), table(160.0), position_R, np.array([120.0, 124.0, 128.0]))
    assert p_R[0] < p_R[1]
    np.testing.assert_allclose(p_R[1], p_R[2], rtol=0.2)
