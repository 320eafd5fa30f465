"""The local level: a bounded step every 64 rows of a key, wherever reads are cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.level import BLOCK, GAIN, PLAIN_ROWS, SPAN, LocalLevel
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import Runs

EVIDENCE = 2
BOUND = 3.0


def bounds(runs: Runs) -> FloatArray:
    """Every key may move by 3 a row, in either direction."""
    shape = (len(runs.slots), EVIDENCE)
    return np.stack([np.full(shape, -BOUND), np.full(shape, BOUND)], axis=1)


def fresh(num_keys: int) -> LocalLevel:
    """Levels of keys that nothing is known of."""
    level = LocalLevel(num_evidence=EVIDENCE)
    level.columns.ensure(num_keys)
    return level


def feed(
    level: LocalLevel,
    slot_B: IntArray,
    value_BE: FloatArray,
    fitted_B: BoolArray | None = None,
    cuts: tuple[int, ...] = (10_000,),
) -> FloatArray:
    """Read and write rows in pieces; the levels that they were compared with."""
    fitted_B = np.ones(len(slot_B), bool) if fitted_B is None else fitted_B
    found, done, turn = [], 0, 0
    while done < len(slot_B):
        part = slice(done, done + cuts[turn % len(cuts)])
        runs = Runs(slot_B[part])
        step = level.read(runs, value_BE[part], fitted_B[part], bounds(runs))
        level.write(step)
        found.append(step.level_BE)
        done, turn = part.stop, turn + 1
    return np.concatenate(found)


def alone(value_N: FloatArray) -> tuple[IntArray, FloatArray]:
    """Rows of key 0, the same value for every kind of evidence."""
    return np.zeros(len(value_N), np.int64), np.repeat(value_N[:, None], EVIDENCE, axis=1)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 99),
    cuts=st.lists(st.integers(1, 150), min_size=1, max_size=5),
    late=st.integers(1, 100),
)
def test_cuts_change_no_bit(seed: int, cuts: list[int], late: int) -> None:
    """Levels and state are the same however the rows of a frozen state are cut into reads."""
    generator = np.random.default_rng(seed)
    slot_B = generator.integers(0, 3, 500)
    value_BE = generator.normal(size=(500, EVIDENCE)) * 4.0
    fitted_B = slot_B != 1  # all of a key's rows count, or none do
    whole, pieces = fresh(3), fresh(3)
    for level in (whole, pieces):
        feed(level, slot_B[:late], value_BE[:late], fitted_B[:late])
    one = feed(whole, slot_B[late:], value_BE[late:], fitted_B[late:])
    other = feed(pieces, slot_B[late:], value_BE[late:], fitted_B[late:], tuple(cuts))
    np.testing.assert_array_equal(one, other)
    for name, column in whole.state_dict().items():
        np.testing.assert_array_equal(column, pieces.state_dict()[name], err_msg=name)


def test_the_first_rows_are_their_plain_mean() -> None:
    """Over the first block of rows there is no level; then it is the mean of all of them."""
    value_N = np.random.default_rng(1).normal(size=PLAIN_ROWS + BLOCK)
    level_NE = feed(fresh(1), *alone(value_N))
    assert np.isnan(level_NE[:BLOCK]).all()
    for stop in range(BLOCK, PLAIN_ROWS + 1, BLOCK):
        np.testing.assert_allclose(level_NE[stop : stop + BLOCK], value_N[:stop].mean())


def test_equals_the_recurrence() -> None:
    """Every 64 rows of a key m <- m + (1 - (127/128)^64) mean(clip(l - m, +-b))."""
    value_N = np.random.default_rng(2).normal(size=160 * BLOCK) * 3.0
    level_NE = feed(fresh(1), *alone(value_N), cuts=(33,))
    expected = 0.0
    for number, block in enumerate(np.split(value_N, 160)):
        if number:
            held = level_NE[number * BLOCK : (number + 1) * BLOCK]
            np.testing.assert_allclose(held, expected, rtol=1e-9)
        gain = GAIN if number >= PLAIN_ROWS // BLOCK else 1.0 / (number + 1)
        expected += gain * np.clip(block - expected, -BOUND, BOUND).mean()


def test_a_row_far_off_moves_it_by_a_bound_over_128() -> None:
    """A fault of a few rows leaves the level where it is: 10 rows move it by 10/128 of a bound."""
    value_N = np.zeros(640)
    usual = feed(fresh(1), *alone(value_N))[-1]
    value_N[300:310] = 1e6
    moved = feed(fresh(1), *alone(value_N))[-1]
    assert (moved > usual).all()
    assert (moved <= usual + 10.0 * BOUND / SPAN).all()


def test_it_follows_a_drift() -> None:
    """A slow rise is followed with a lag of a few hundred rows."""
    value_N = np.arange(4_000) / 500.0
    level_NE = feed(fresh(1), *alone(value_N))
    assert (value_N[1_000:, None] - level_NE[1_000:] < 300 / 500.0).all()


def test_rows_of_scorers_that_are_not_ready_do_not_count() -> None:
    """They leave a key without a level."""
    level = fresh(1)
    slot_B, value_BE = alone(np.full(200, 5.0))
    assert np.isnan(feed(level, slot_B, value_BE, np.zeros(200, bool))).all()
    assert np.isnan(feed(level, slot_B[:BLOCK], value_BE[:BLOCK])).all()
    assert (level.columns["level"] == BOUND).all()  # 0 and one bounded step


def test_keys_do_not_mix() -> None:
    """A key's levels are what they would be alone."""
    generator = np.random.default_rng(5)
    slot_B, value_BE = generator.integers(0, 4, 900), generator.normal(size=(900, EVIDENCE))
    together = feed(fresh(4), slot_B, value_BE, cuts=(70,))
    for key in range(4):
        rows = slot_B == key
        np.testing.assert_array_equal(
            together[rows], feed(fresh(4), slot_B[rows], value_BE[rows], cuts=(45,))
        )


def test_reading_changes_nothing_and_the_state_carries_everything() -> None:
    """`read` is a reading verb; one that takes over the state goes on with the same bits."""
    level, other = fresh(1), LocalLevel(num_evidence=EVIDENCE)
    slot_B, value_BE = alone(np.random.default_rng(6).normal(size=150))
    feed(level, slot_B, value_BE)
    before = level.state_dict()
    runs = Runs(slot_B)
    level.read(runs, value_BE, np.ones(150, bool), bounds(runs))
    for name, column in before.items():
        np.testing.assert_array_equal(column, level.state_dict()[name], err_msg=name)
    other.load_state_dict(before)
    np.testing.assert_array_equal(
        feed(level, slot_B, value_BE, cuts=(40,)), feed(other, slot_B, value_BE, cuts=(7,))
    )
