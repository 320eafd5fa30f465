"""p-values: monotone, calibrated, never zero."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.calibration import Calibration
from streamssl.data.events import FloatArray, IntArray

GENERATOR = np.random.default_rng(5)


def slots(count: int, slot: int = 0) -> IntArray:
    return np.full(count, slot, np.int64)


def calibrated(raw: FloatArray) -> Calibration:
    """One key that has seen `raw`."""
    calibration = Calibration()
    calibration.columns.ensure(2)
    for part in np.array_split(raw, max(1, len(raw) // 500)):
        calibration.learn(slots(len(part)), part)
    return calibration


@settings(max_examples=30, deadline=None)
@given(
    past=st.lists(st.floats(1e-4, 1e6), max_size=60),
    scores=st.lists(st.floats(2e-3, 1e5), min_size=2, max_size=30, unique=True),
)
def test_strictly_decreasing_in_raw(past: list[float], scores: list[float]) -> None:
    """A larger raw score always has a smaller p-value: no ties, within (0, 1]."""
    calibration = calibrated(np.array(past))
    raw = np.sort(np.array(scores))
    raw = raw[np.r_[True, np.diff(raw) > 1e-9 * raw[1:]]]
    p = calibration.p_value(slots(len(raw)), raw)
    assert (np.diff(p) < 0).all()
    assert ((p > 0) & (p <= 1)).all()


def test_achieves_the_stated_rate() -> None:
    """On a stationary stream the share of p-values under q is q.

    Beyond the 1 % of scores that the tail is fitted to it may be less: a light tail falls faster
    than a power, so the budget is not spent.
    """
    calibration, shares = calibrated(GENERATOR.chisquare(4, 5_000)), []
    for _ in range(80):
        raw = GENERATOR.chisquare(4, 500)
        shares.append(calibration.p_value(slots(500), raw))
        calibration.learn(slots(500), raw)
    p = np.concatenate(shares)
    for q in (0.5, 0.1, 0.01):
        assert 0.9 * q <= (p <= q).mean() <= 1.1 * q
    assert 0.2 * 0.001 <= (p <= 0.001).mean() <= 1.1 * 0.001


def test_a_past_fault_does_not_hide_the_next_for_long() -> None:
    """Two memories after a fault of 100 events, one like it is an anomaly again."""
    calibration, fault = calibrated(GENERATOR.chisquare(4, 3_000)), np.full(100, 40.0)
    calibration.learn(slots(100), fault)
    assert (calibration.p_value(slots(100), fault) > 1e-3).all()
    for _ in range(8):
        calibration.learn(slots(500), GENERATOR.chisquare(4, 500))
    assert (calibration.p_value(slots(100), fault) < 1e-3).all()


def test_the_tail_goes_on_beyond_the_past() -> None:
    """Scores far beyond anything seen keep falling, smoothly and not to zero."""
    p = calibrated(GENERATOR.chisquare(4, 2_000)).p_value(slots(3), np.array([50.0, 500.0, 1e5]))
    assert p[0] < 1e-4
    assert (p[1:] < p[:-1] / 10).all()
    assert p[-1] > 0.0


def test_young_keys_lean_on_the_others() -> None:
    """A key without scores of its own is judged by those of all keys."""
    calibration = calibrated(GENERATOR.chisquare(4, 5_000))
    old, new = calibration.p_value(np.array([0, 1]), np.array([20.0, 20.0]))
    assert new < 0.05
    assert not calibration.ready(np.array([1]))[0]
    assert calibration.ready(np.array([0]))[0]
    assert old < 0.01


def test_nothing_known_is_nothing_claimed() -> None:
    """Before any score was seen, an ordinary score is not called extreme."""
    p = calibrated(np.zeros(0)).p_value(slots(2), np.array([1.0, 3.0]))
    assert p[0] > 0.3
    assert p[1] > 0.05


def test_reading_changes_nothing() -> None:
    """`p_value` is a reading verb."""
    calibration = calibrated(GENERATOR.chisquare(4, 300))
    before = calibration.state_dict()
    calibration.p_value(slots(5), np.ones(5))
    after = calibration.state_dict()
    np.testing.assert_array_equal(before["columns"]["scores"], after["columns"]["scores"])
    np.testing.assert_array_equal(before["pool"], after["pool"])


def test_a_slot_that_goes_to_another_key_has_no_tail_of_the_former() -> None:
    """Tails are kept while an epoch is open, but not beyond the key that they are of."""
    generator = np.random.default_rng(4)
    used, slots = Calibration(), np.repeat([0, 1], 400)
    used.columns.ensure(2)
    used.learn(slots, generator.chisquare(4, 800))
    probe, raw = np.array([0, 1, 1]), np.array([2.0, 9.0, 30.0])
    before = used.p_value(probe, raw)
    np.testing.assert_array_equal(used.p_value(probe[1:], raw[1:]), before[1:])
    used.columns.clear(np.array([1]))
    again = Calibration()
    again.load_state_dict(used.state_dict())
    after = used.p_value(probe, raw)
    np.testing.assert_array_equal(after, again.p_value(probe, raw))
    assert after[0] == before[0]
    assert (after[1:] != before[1:]).all()
