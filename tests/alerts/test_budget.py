"""The alert budget in incidents a day, whatever the clock does; and severity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from streamssl.alerts.budget import LARGEST_SHARE, TIMELESS_SHARE, AlertBudget, severity
from streamssl.data.events import FloatArray
from streamssl.data.results import SEVERITIES

NOW_S = 1.7e9
DAY_EVENTS = 86_400.0


def learned(event_time_N: FloatArray, epoch: int = 200, per_day: float = 20.0) -> AlertBudget:
    """A budget of so many incidents a day that has seen events at these times, in epochs."""
    budget = AlertBudget(share=None, per_day=per_day)
    for begin in range(0, len(event_time_N), epoch):
        part_B = event_time_N[begin : begin + epoch]
        budget.learn(part_B, np.zeros(len(part_B), np.bool_))
    return budget


def clock(num_events: int = 12_000) -> FloatArray:
    """An event a second."""
    return NOW_S + np.arange(num_events, dtype=np.float64)


def test_a_share_is_the_threshold() -> None:
    """A budget as a share of events needs no history and no clock."""
    assert AlertBudget(share=0.02).threshold() == 0.02
    assert not AlertBudget(share=0.02).is_timeless


@pytest.mark.parametrize("step_s", [0.01, 1.0, 30.0])
def test_incidents_a_day_become_a_share_of_events(step_s: float) -> None:
    """N incidents over a day's events, at most one event in a hundred."""
    budget = learned(NOW_S + step_s * np.arange(12_000, dtype=np.float64))
    assert budget.threshold() == pytest.approx(min(20.0 * step_s / DAY_EVENTS, LARGEST_SHARE))


def test_before_time_has_passed_a_usual_share_is_taken() -> None:
    """One event in a thousand, and nothing is said of the clock yet."""
    budget = AlertBudget(share=None, per_day=24.0)
    assert budget.threshold() == TIMELESS_SHARE
    budget.learn(np.array([NOW_S]), np.zeros(1, np.bool_))
    assert budget.threshold() == TIMELESS_SHARE
    assert not budget.is_timeless


def _boots_in_1970(time_N: FloatArray) -> FloatArray:
    time_N[:450] -= NOW_S
    return time_N


def _pauses(time_N: FloatArray) -> FloatArray:
    time_N[5_000:] += 60 * 86_400.0
    return time_N


def _jumps_and_returns(time_N: FloatArray) -> FloatArray:
    time_N[5_000:5_030] = 253_402_300_799.0
    time_N[8_000:8_900] = 0.0
    return time_N


def _runs_backwards(time_N: FloatArray) -> FloatArray:
    return time_N[::-1].copy()


@pytest.mark.parametrize(
    ("spoil", "num_jumps"),
    [(_boots_in_1970, 1), (_pauses, 1), (_jumps_and_returns, 3), (_runs_backwards, 0)],
    ids=["boots_in_1970", "pauses", "jumps_and_returns", "runs_backwards"],
)
def test_a_bad_clock_gives_the_threshold_of_a_good_one(
    spoil: Callable[[FloatArray], FloatArray], num_jumps: int
) -> None:
    """A jump or a pause, however far, counts for 16 of 60 epochs at most; direction is nothing."""
    right, wrong = learned(clock()), learned(spoil(clock()))
    assert 0.9 <= wrong.threshold() / right.threshold() <= 1.01 + num_jumps * 16 / 60
    assert not wrong.is_timeless


def test_a_clock_that_trembles_is_a_clock() -> None:
    """Times in disorder by half a minute are the same day."""
    time_N = clock() + np.random.default_rng(1).normal(0.0, 30.0, 12_000)
    assert learned(time_N).threshold() == pytest.approx(learned(clock()).threshold(), rel=0.1)


def test_a_night_without_events_is_part_of_the_day() -> None:
    """Events in bursts: a pause in every epoch counts, since the day's events are fewer by it."""
    time_N = clock() + 600.0 * (np.arange(12_000) // 200)
    assert learned(time_N).threshold() == pytest.approx(20.0 * 4.0 / DAY_EVENTS, rel=0.05)


def test_a_clock_that_stands_still_is_told() -> None:
    """Incidents a day mean nothing then: one event in a thousand, and a mark of it."""
    budget = learned(np.full(6_000, NOW_S))
    assert budget.threshold() == TIMELESS_SHARE
    assert budget.is_timeless
    assert not learned(clock()).is_timeless


def test_anomalies_do_not_move_the_threshold() -> None:
    """The budget counts events and time alone, so that it cannot run away; the rate is told."""
    budget = AlertBudget(share=None, per_day=20.0)
    anomaly_B = np.zeros(200, np.bool_)
    anomaly_B[:20] = True
    for time_B in np.split(clock(), 60):
        budget.learn(time_B, anomaly_B)
    assert budget.threshold() == learned(clock()).threshold()
    assert budget.rate() == pytest.approx(0.1)


def test_an_empty_epoch_is_an_epoch() -> None:
    """Nothing came, nothing is counted."""
    budget, same = learned(clock()), learned(clock())
    budget.learn(np.zeros(0), np.zeros(0, np.bool_))
    assert budget.threshold() == same.threshold()


def test_the_state_carries_everything() -> None:
    """One that takes over the state goes on with the same bits."""
    budget, other = learned(_pauses(clock(9_000))), AlertBudget(share=None, per_day=20.0)
    other.load_state_dict(budget.state_dict())
    for each in (budget, other):
        each.learn(NOW_S + 1e7 + clock(100), np.arange(100) == 7)
    assert other.threshold() == budget.threshold()
    assert other.rate() == budget.rate()


def test_severity_rises_a_step_with_each_factor_of_ten() -> None:
    """Under the threshold, under a tenth of it, a hundredth, a thousandth; none if ordinary."""
    p_B = np.array([0.5, 1e-3, 2e-4, 1e-4, 1e-5, 1e-6, 1e-9])
    level = severity(p_B, p_B <= 1e-3, np.full(7, 1e-3))
    assert level.tolist() == [0, 1, 1, 2, 3, 4, 4]
    assert max(level) == len(SEVERITIES) - 1


def test_severity_goes_by_the_threshold_of_its_row() -> None:
    """A key that spent its budget has a lower threshold, and steps below that."""
    level = severity(np.full(2, 1e-5), np.ones(2, np.bool_), np.array([1e-3, 1e-5]))
    assert level.tolist() == [3, 1]
