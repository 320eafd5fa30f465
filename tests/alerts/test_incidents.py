"""Incidents and their tokens: the vectorised walk equals the rules read row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.incidents import (
    ACCEPTED,
    END,
    MUTED,
    NONE,
    ONGOING,
    START,
    Incidents,
)
from streamssl.arithmetic.acceptance import Acceptance
from streamssl.data.events import FloatArray, IntArray
from streamssl.data.keys import Runs

GAP, BUDGET = 3, 0.01
RARE = BUDGET * 1e-12


@dataclass
class Rules:
    """One key, row by row: state, position of the incident's first event, threshold, anomaly."""

    accepted_after: int
    age: int = 0
    began: int = -1
    last: int = -1
    opened_at: float = 0.0
    spent: float = 0.0
    counted: int = 0
    flagged: int = 0
    accepted: bool = False
    rows: list[tuple[int, int, float, bool]] = field(default_factory=list)

    def step(self, p: float) -> None:
        """Judge the next row."""
        is_open = self.last >= 0 and self.age - self.last <= GAP
        left = max(0.0, self.spent - BUDGET * (self.age - self.counted))
        state, anomaly = NONE, False
        asked, rare = self._asked(), is_open and p <= self.opened_at
        if p <= BUDGET:
            self.spent, self.counted = left, self.age
            state, anomaly = self._go_on(p) if is_open else self._open(p, left)
        since = self.age - self.last if self.last >= 0 else GAP + 1
        if state == NONE and since <= GAP:
            state = END if since == GAP else ONGOING
        left = max(0.0, self.spent - BUDGET * (self.age - self.counted))
        asked = asked if rare else self._asked()
        threshold = asked if since < GAP else BUDGET * math.exp(-max(left - 10.0, 0.0))
        shown = self.began if state not in (NONE, MUTED) else -1
        self.rows.append((state, shown, threshold, anomaly))
        self.age += 1

    def _go_on(self, p: float) -> tuple[int, bool]:
        if self.age - self.began >= self.accepted_after:
            self.accepted, self.last = True, -1
            return ACCEPTED, False
        if p > self.opened_at:
            return NONE, False
        self.last, anomaly = self.age, p <= self._asked()
        self.flagged += anomaly
        return NONE, anomaly

    def _asked(self) -> float:
        return self.opened_at * min(1.0, 16.0 / max(self.flagged, 1)) ** 2

    def _open(self, p: float, spent: float) -> tuple[int, bool]:
        threshold = BUDGET * math.exp(-max(spent - 10.0, 0.0))
        if self.accepted:
            return NONE, False
        if spent > 29.0:
            return MUTED, False
        if p > threshold:
            return NONE, False
        self.began, self.last, self.flagged = self.age, self.age, 1
        self.opened_at, self.spent = threshold, spent + 1.0
        return START, True


class Walked:
    """Incidents of some keys, fed in pieces."""

    def __init__(self, num_keys: int = 1, accepted_min: int = 500, accepted_max: int = 3_000):
        self.incidents = Incidents(
            incident_gap=GAP, acceptance=Acceptance(accepted_min, 0.2, accepted_max)
        )
        self.incidents.columns.ensure(num_keys)
        self.age_K = np.zeros(num_keys, np.int64)

    def feed(self, slot_B: IntArray, p_B: FloatArray, cuts: tuple[int, ...] = (10_000,)) -> Rows:
        """Read and write; an event's offset is its age."""
        rows, done, turn = Rows(len(slot_B)), 0, 0
        while done < len(slot_B):
            part = slice(done, done + cuts[turn % len(cuts)])
            slot_P = slot_B[part]
            age_P = self.age_K[slot_P] + Runs(slot_P).rank
            position_P2 = np.stack([age_P, np.zeros_like(age_P)], axis=1)
            step = self.incidents.read(slot_P, age_P, p_B[part], position_P2, BUDGET)
            self.incidents.write(step)
            np.add.at(self.age_K, slot_P, 1)
            rows.state[part], rows.offset[part] = step.state_B, step.offset_B
            rows.anomaly[part], rows.threshold[part] = step.anomaly_B, step.threshold_B
            done, turn = part.stop, turn + 1
        return rows

    def alone(self, p_N: FloatArray) -> Rows:
        """Rows of key 0."""
        return self.feed(np.zeros(len(p_N), np.int64), p_N)


class Rows:
    """What was said of some rows."""

    def __init__(self, num_rows: int) -> None:
        self.state, self.offset = np.empty((2, num_rows), np.int64)
        self.anomaly, self.threshold = np.empty(num_rows, bool), np.empty(num_rows)


def with_rare(num_rows: int, at: list[int], p: float = RARE) -> FloatArray:
    """Ordinary p-values, and rare ones at some rows."""
    p_N = np.full(num_rows, 0.5)
    p_N[at] = p
    return p_N


P_VALUES = st.sampled_from([0.5, BUDGET, BUDGET * 0.2, BUDGET * 1e-3, RARE])


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), P_VALUES), max_size=150),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    accepted_min=st.sampled_from([4, 12, 500]),
    spent=st.sampled_from([0.0, 9.5, 28.2]),
)
def test_equals_the_rules(
    rows: list[tuple[int, float]], cuts: list[int], accepted_min: int, spent: float
) -> None:
    """Any number of keys, any cut into reads: the same as row by row."""
    walked = Walked(3, accepted_min, accepted_max=accepted_min)
    walked.incidents.columns["numbers"][:, 1] = spent
    walked.incidents.columns["integers"][:, 4] = 0  # tokens are counted from the first event on
    slot_B, p_B = np.array([s for s, _ in rows], np.int64), np.array([p for _, p in rows])
    found = walked.feed(slot_B, p_B, tuple(cuts))
    for slot in range(3):
        rules, of_key = Rules(accepted_min, spent=spent), slot_B == slot
        for p in p_B[of_key].tolist():
            rules.step(p)
        state, offset, threshold, anomaly = (
            zip(*rules.rows, strict=True) if rules.rows else [()] * 4
        )
        assert found.state[of_key].tolist() == list(state)
        assert found.offset[of_key].tolist() == list(offset)
        assert found.anomaly[of_key].tolist() == list(anomaly)
        np.testing.assert_allclose(found.threshold[of_key], threshold, rtol=1e-9)


def test_an_incident_opens_goes_on_and_ends() -> None:
    """It is open until the gap has passed without an anomaly; all its rows name its first one."""
    rows = Walked().alone(with_rare(14, [2, 5]))
    expected = [NONE] * 2 + [START] + [ONGOING] * 5 + [END] + [NONE] * 5
    assert rows.state.tolist() == expected
    assert rows.anomaly.nonzero()[0].tolist() == [2, 5]
    assert rows.offset.tolist() == [-1] * 2 + [2] * 7 + [-1] * 5


def test_an_anomaly_is_what_reaches_the_threshold() -> None:
    """The published threshold is the one that was used, inside incidents and between them."""
    p_N = 10.0 ** -np.random.default_rng(1).uniform(0.0, 9.0, 2_000)
    rows = Walked().alone(p_N)
    judged = (rows.state != MUTED) & (rows.state != ACCEPTED)
    np.testing.assert_array_equal(rows.anomaly[judged], (p_N <= rows.threshold)[judged])


def test_ten_incidents_are_free_and_each_after_that_asks_for_a_factor_e() -> None:
    """The threshold falls by e an incident from the eleventh on."""
    rows = Walked().alone(with_rare(150, list(range(0, 150, 5))))
    threshold = rows.threshold[rows.state == START]
    spent = np.arange(len(threshold)) * (1.0 - 5 * BUDGET)
    np.testing.assert_allclose(threshold, BUDGET * np.exp(-np.maximum(spent - 10.0, 0.0)))
    assert len(threshold) > 20


def test_an_incident_keeps_the_threshold_that_it_opened_at() -> None:
    """Its rows are judged by that one, although the next incident asks for a smaller p-value."""
    walked = Walked()
    walked.alone(with_rare(75, list(range(0, 75, 5))))  # spends fifteen
    (opened_at,) = walked.incidents.threshold(np.array([0]), walked.age_K, BUDGET)
    rows = walked.alone(opened_at * np.array([0.9, 1.5, 0.99, 10.0]))
    assert rows.anomaly.tolist() == [True, False, True, False]
    assert rows.state[0] == START


def test_what_goes_on_must_be_the_rarer() -> None:
    """A long incident stays one, but only what is rare enough for its length is an anomaly."""
    rows = Walked().alone(np.full(400, BUDGET / 9.1))
    assert rows.anomaly.sum() == 3 * 16 + 1
    assert (rows.state[1:] == ONGOING).all()
    assert Walked().alone(np.full(400, RARE)).anomaly.all()


def test_a_key_that_spent_everything_is_muted() -> None:
    """At thirty tokens nothing opens, however rare; rows that would have are marked."""
    rows = Walked().alone(with_rare(400, list(range(0, 400, 5)), p=1e-300))
    opened, muted = (rows.state == START).nonzero()[0], (rows.state == MUTED).nonzero()[0]
    assert 30 <= len(opened) <= 30 + 400 * BUDGET
    assert len(muted) > 30
    assert not rows.anomaly[muted].any()
    assert (rows.offset[muted] == -1).all()


def test_a_token_comes_back_every_so_many_events() -> None:
    """After a burst the key has spent one token less each 1 / budget events."""
    walked = Walked()
    walked.alone(with_rare(80, list(range(0, 80, 5)), p=1e-300))
    quiet = walked.alone(np.full(600, 0.5)).threshold
    (back,) = np.diff(np.log(quiet[[GAP + 1, GAP + 1 + 300]]))
    assert back == pytest.approx(300 * BUDGET)
    assert walked.alone(np.full(900, 0.5)).threshold[-1] == pytest.approx(BUDGET)


def test_within_the_budget_every_incident_opens_at_the_budget() -> None:
    """An incident each 1 / budget events, for ever: the threshold never moves."""
    rows = Walked().alone(with_rare(6_000, list(range(0, 6_000, 100))))
    assert (rows.state == START).sum() == 60
    assert np.allclose(rows.threshold[rows.state == START], BUDGET)


def test_an_incident_that_lasts_is_accepted() -> None:
    """After so many events it closes as the new normal, and is told once at the epoch's end."""
    walked = Walked(accepted_min=20, accepted_max=20)
    rows = walked.alone(with_rare(60, list(range(10, 60, 2))))
    assert (rows.state == ACCEPTED).nonzero()[0].tolist() == [30]
    assert rows.offset[30] == 10
    assert not rows.anomaly[30:].any()  # its evidence means something else once this is learned
    assert walked.incidents.take_accepted(np.array([0])).tolist() == [0]
    assert walked.incidents.take_accepted(np.array([0])).tolist() == []
    assert walked.alone(with_rare(1, [0])).state[0] == START


def test_old_keys_take_longer_to_accept() -> None:
    """min(max(least, share n), most) events, n the events of the key."""
    after = Incidents().acceptance.after(np.array([100, 5_000, 100_000]))
    assert after.tolist() == [500.0, 1_000.0, 3_000.0]


def test_keys_spend_their_own_tokens() -> None:
    """A key that alarms all the time lowers no other key's threshold."""
    walked = Walked(2)
    slot_B = np.arange(600) % 2
    rows = walked.feed(
        slot_B, np.where(slot_B == 0, np.where(np.arange(600) % 10 < 2, RARE, 0.5), 0.5)
    )
    assert (rows.state == MUTED).any()
    assert (rows.threshold[slot_B == 1] == BUDGET).all()


def test_reading_changes_nothing_and_the_state_carries_everything() -> None:
    """`read` is a reading verb; one that takes over the state goes on as this one does."""
    walked, other = Walked(), Walked()
    walked.alone(with_rare(50, [3, 20, 48]))
    before = walked.incidents.state_dict()
    age_B = walked.age_K + np.arange(5)
    walked.incidents.read(
        np.zeros(5, np.int64), age_B, np.full(5, RARE), np.zeros((5, 2), int), BUDGET
    )
    for name, column in before.items():
        np.testing.assert_array_equal(column, walked.incidents.state_dict()[name])
    other.incidents.load_state_dict(before)
    other.age_K = walked.age_K.copy()
    p_N = with_rare(40, [1, 30])
    np.testing.assert_array_equal(walked.alone(p_N).state, other.alone(p_N).state)
