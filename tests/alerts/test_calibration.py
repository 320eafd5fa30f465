"""p-values: monotone, calibrated, never zero; drift and past faults do not blind them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.calibration import Calibrated, Calibration
from streamssl.alerts.level import SECOND_OPINION
from streamssl.alerts.yardstick import Alarm
from streamssl.arithmetic.histogram import log_position
from streamssl.data.events import FloatArray, IntArray
from streamssl.data.keys import Runs

BUDGET, EPOCH = 1e-3, 250
SIGNALS = (0.75, 0.1, 0.3, 0.05)


def slots(count: int, slot: int = 0) -> IntArray:
    return np.full(count, slot, np.int64)


def usual(num_rows: int, generator: np.random.Generator) -> FloatArray:
    """Evidence of ordinary events: positive, with the tail of a chi-square."""
    return generator.chisquare(4, num_rows)


class History:
    """Calibration of some keys, with what its caller keeps of them."""

    def __init__(self, weights: tuple[float, ...] = (1.0,), num_keys: int = 2) -> None:
        self.calibration, self.num_evidence = Calibration(weights), len(weights)
        for columns in self.calibration.per_key():
            columns.ensure(num_keys)
        self.age_K = np.zeros(num_keys, np.int64)

    def read(self, evidence: FloatArray, slot_B: IntArray | None = None) -> Calibrated:
        """What is said of rows; changes nothing."""
        evidence_BE = evidence.reshape(len(evidence), self.num_evidence)
        slot_B = slots(len(evidence)) if slot_B is None else slot_B
        return self.calibration.read(slot_B, evidence_BE, np.ones(len(evidence), bool))

    def p(self, evidence: FloatArray, slot_B: IntArray | None = None) -> FloatArray:
        """p-values; changes nothing."""
        return self.read(evidence, slot_B).p_B

    def epoch(self, evidence: FloatArray, slot_B: IntArray | None = None) -> Calibrated:
        """Read rows, go on, and learn them."""
        evidence_BE = evidence.reshape(len(evidence), self.num_evidence)
        slot_B = slots(len(evidence)) if slot_B is None else slot_B
        found, runs = self.read(evidence, slot_B), Runs(slot_B)
        self.calibration.write(found.step)
        age_B = self.age_K[slot_B] + runs.rank
        self.calibration.learn(slot_B, age_B, evidence_BE, found.level_BE, _alarm)
        self.age_K[runs.slots] += runs.counts
        return found

    def seen(self, evidence: FloatArray) -> History:
        """Epochs of key 0."""
        for begin in range(0, len(evidence), EPOCH):
            self.epoch(evidence[begin : begin + EPOCH])
        return self


def _alarm(slots: IntArray, age_K: IntArray) -> Alarm:
    p_K1 = np.full((len(slots), 1), BUDGET)
    return Alarm(p_K1, p_K1, 32, np.minimum(np.maximum(500, 0.2 * age_K), 3_000))


def prequential(history: History, evidence: FloatArray) -> FloatArray:
    """p-values of rows, each epoch's before it is learned."""
    parts = [history.epoch(evidence[i : i + EPOCH]).p_B for i in range(0, len(evidence), EPOCH)]
    return np.concatenate(parts)


@settings(max_examples=30, deadline=None)
@given(
    past=st.lists(st.floats(1e-2, 1e4), max_size=400),
    scores=st.lists(st.floats(2e-3, 1e5), min_size=2, max_size=30, unique=True),
)
def test_strictly_decreasing_in_raw(past: list[float], scores: list[float]) -> None:
    """A larger raw score always has a smaller p-value: no ties short of 1, within (0, 1]."""
    history = History().seen(np.array(past))
    raw = np.sort(np.array(scores))
    raw = raw[np.r_[True, np.diff(raw) > 1e-9 * raw[1:]]]
    p = history.p(raw)
    assert ((np.diff(p) < 0) | (p[1:] > 1.0 - 1e-9)).all()
    assert ((p > 0) & (p <= 1)).all()


def test_achieves_the_stated_rate() -> None:
    """On a stationary stream the share of p-values under q is q.

    Within a tenth down to one in a hundred; within a factor of 1.5 at the budget.
    """
    generator = np.random.default_rng(5)
    history = History().seen(usual(5_000, generator))
    p = prequential(history, usual(40_000, generator))
    for q in (0.5, 0.1, 0.01):
        assert (p <= q).mean() == pytest.approx(q, rel=0.1)
    assert BUDGET / 2.0 <= (p <= BUDGET).mean() <= 1.5 * BUDGET


def test_signals_share_the_budget() -> None:
    """With four kinds of evidence, independent of one another, no more rows reach the budget."""
    generator = np.random.default_rng(6)
    history = History(SIGNALS).seen(usual(4 * 3_000, generator).reshape(-1, 4))
    p = prequential(history, usual(4 * 20_000, generator).reshape(-1, 4))
    assert (p <= BUDGET).mean() <= 1.5 * BUDGET


@pytest.mark.parametrize(("num_rows", "size"), [(40, 60.0), (100, 90.0)])
def test_a_past_fault_does_not_hide_the_next(num_rows: int, size: float) -> None:
    """The tenth of like faults is an anomaly as the first was."""
    generator = np.random.default_rng(7)
    history, fault = History().seen(usual(3_000, generator)), np.full(num_rows, size)
    for _ in range(10):
        assert (history.p(fault)[: num_rows // 2] < BUDGET).all()
        history.epoch(fault)
        history.seen(usual(2_000, generator))


def test_what_lasts_becomes_ordinary() -> None:
    """A level that stays for longer than an incident may is no anomaly afterwards."""
    generator = np.random.default_rng(8)
    history = History().seen(usual(2_000, generator)).seen(60.0 + usual(2_000, generator))
    assert np.median(history.p(60.0 + usual(200, generator))) > 0.1


def test_drift_is_compared_with_its_own_recent_past() -> None:
    """Evidence that grows tenfold within some thousand rows spends no budget by that."""
    generator = np.random.default_rng(9)
    history = History().seen(usual(3_000, generator))
    p = prequential(history, usual(6_000, generator) * 10.0 ** np.linspace(0.0, 1.0, 6_000))
    assert (p <= BUDGET).mean() <= 1.5 * BUDGET
    assert (history.p(np.array([2_000.0])) < BUDGET).all()


def test_the_long_yardstick_is_a_second_opinion() -> None:
    """What stands out from a calm moment alone has the p-value of the long past over ten."""
    generator = np.random.default_rng(10)
    loud = usual(8_000, generator) * np.where(np.arange(8_000) % 2_000 < 1_000, 1.0, 0.05)
    history = History().seen(loud)
    raw = np.array([9.0])  # usual in loud times, far above the calm ones
    long = history.calibration.long.tables(slots(1)).p_value(slots(1), log_position(raw))
    p = history.p(raw)
    assert p == pytest.approx(long / SECOND_OPINION)
    assert p > BUDGET


def test_the_tail_goes_on_beyond_the_past() -> None:
    """Scores far beyond anything seen keep falling, smoothly and not to zero."""
    history = History().seen(usual(2_000, np.random.default_rng(11)))
    p = history.p(np.array([50.0, 500.0, 1e5]))
    assert p[0] < 10 * BUDGET
    assert (p[1:] < p[:-1] / 10).all()
    assert p[-1] > 0.0


def test_the_rarest_evidence_by_its_weight_wins() -> None:
    """A signal that stands out lowers p to its own over its weight, and is named."""
    alike_B4 = np.repeat(usual(5_000, np.random.default_rng(12))[:, None], 4, axis=1)
    history = History(SIGNALS).seen(alike_B4)
    rows_BE = np.full((3, 4), 3.0)
    rows_BE[1, 2] = rows_BE[2, 0] = 500.0
    found = history.read(rows_BE)
    assert found.winner_B.tolist() == [0, 2, 0]
    assert found.p_B[0] > 0.3
    assert (found.p_B[1:] < BUDGET / 10).all()
    assert found.p_B[2] == pytest.approx(found.p_B[1] * SIGNALS[2] / SIGNALS[0])


@pytest.mark.parametrize("p", [1e-2, 1e-3, 1e-6])
def test_the_value_of_an_alarm_is_one(p: float) -> None:
    """A signal that has it reaches just the p-value that was asked for, one below it does not."""
    generator = np.random.default_rng(20)
    history = History(SIGNALS).seen(usual(4 * 5_000, generator).reshape(-1, 4))
    rows_BE = np.full((3, 4), 2.0)
    level_B = history.read(rows_BE[:1]).level_BE[:, 2]
    (value,) = history.calibration.alarm_value(2, slots(1), level_B, np.array([p]))
    rows_BE[:, 2] = 0.98 * value, value, 1.02 * value
    found = history.p(rows_BE)
    assert found[1] == pytest.approx(p)
    assert found[0] > p > found[2]


def test_a_signal_of_under_four_deviations_never_alarms() -> None:
    """However quiet it was before: a signal is in deviations, and three are nothing."""
    generator = np.random.default_rng(13)
    calm = usual(4 * 5_000, generator).reshape(-1, 4)
    calm[:, 1] = 0.5
    history = History(SIGNALS).seen(calm)
    rows_BE = np.full((2, 4), 3.0)
    rows_BE[:, 1] = 3.9, 9.0
    assert history.read(rows_BE).winner_B.tolist() == [0, 1]


def test_a_signal_waits_for_its_own_warm_up() -> None:
    """Begun anew it says nothing until it has been seen often enough again."""
    generator = np.random.default_rng(14)
    history = History(SIGNALS).seen(usual(4 * 3_000, generator).reshape(-1, 4))
    probe = np.array([[3.0, 500.0, 3.0, 3.0]])
    assert history.read(probe).winner_B[0] == 1
    history.calibration.restart(1, slots(60), np.full(60, 2.0))
    assert history.read(probe).winner_B[0] == 0
    history.seen(usual(4 * 500, generator).reshape(-1, 4))
    assert history.read(probe).winner_B[0] == 1


def test_beginning_anew_forgets_one_kind_of_one_key() -> None:
    """Its yardsticks are empty and its level is the mean of the rows; all else stays."""
    generator = np.random.default_rng(15)
    history = History(SIGNALS)
    for _ in range(8):
        history.epoch(usual(4 * 400, generator).reshape(-1, 4), np.repeat([0, 1], 200))
    names, before = np.arange(8), history.calibration.state_dict()
    value_R = np.array([5.0, 20.0, 80.0])
    level_R = history.calibration.restart(2, slots(3, 1), value_R)
    np.testing.assert_allclose(level_R, log_position(value_R).mean())
    assert history.calibration.level.columns["level"][1, 2] == level_R[0]
    for yardstick in (history.calibration.local, history.calibration.long):
        assert (yardstick.seen(names) == 0).nonzero()[0].tolist() == [1 * 4 + 2]
    other_KE = np.ones((2, 4), bool)
    other_KE[1, 2] = False
    for part, column in (("local", "counts"), ("long", "table")):
        was = before[part]["columns"][column]
        now = getattr(history.calibration, part).columns[column]
        np.testing.assert_array_equal(now[other_KE], was[other_KE])


def test_an_accepted_key_is_compared_with_its_last_rows() -> None:
    """The level jumps to where the evidence is; of other keys it stays."""
    generator = np.random.default_rng(16)
    history = History()
    for _ in range(4):
        history.epoch(usual(400, generator), np.repeat([0, 1], 200))
    before_K = history.calibration.level.columns["level"][:, 0].copy()
    slot_B, high = np.repeat([0, 1], 100), np.full((200, 1), 90.0)
    history.calibration.settle(slot_B, high, np.array([1]))
    after_K = history.calibration.level.columns["level"][:, 0]
    assert after_K[0] == before_K[0]
    assert after_K[1] == pytest.approx(float(log_position(np.array([90.0]))[0]))


def test_young_keys_lean_on_the_others() -> None:
    """A key without scores of its own is judged by those of all keys."""
    history = History().seen(usual(5_000, np.random.default_rng(17)))
    old, new = history.p(np.array([30.0, 30.0]), np.array([0, 1]))
    assert new < 0.05
    assert not history.calibration.ready(np.array([1]))[0]
    assert history.calibration.ready(np.array([0]))[0]
    assert old < 0.01


def test_nothing_known_is_nothing_claimed() -> None:
    """Before any score was seen, an ordinary score is not called extreme."""
    p = History().p(np.array([1.0, 3.0]))
    assert p[0] > 0.3
    assert p[1] > 0.05


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 399), seed=st.integers(0, 99))
def test_cuts_change_no_bit(cut: int, seed: int) -> None:
    """Two reads of rows between epochs say what one says, and leave the same levels."""
    generator = np.random.default_rng(seed)
    whole, pieces = History(SIGNALS), History(SIGNALS)
    for history in (whole, pieces):
        history.seen(np.random.default_rng(1).chisquare(4, (600, 4)))
    slot_B, evidence_BE = generator.integers(0, 2, 400), generator.chisquare(4, (400, 4))
    found = whole.read(evidence_BE, slot_B)
    whole.calibration.write(found.step)
    parts = []
    for part in (slice(0, cut), slice(cut, None)):
        parts.append(pieces.read(evidence_BE[part], slot_B[part]))
        pieces.calibration.write(parts[-1].step)
    for name in ("p_B", "winner_B", "level_BE"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(found, name), err_msg=name)
    for name, column in whole.calibration.level.state_dict().items():
        np.testing.assert_array_equal(column, pieces.calibration.level.columns[name])


def test_reading_changes_nothing() -> None:
    """`read` is a reading verb."""
    history = History().seen(usual(300, np.random.default_rng(18)))
    before = history.calibration.state_dict()
    history.p(np.ones(5))
    after = history.calibration.state_dict()
    for part in ("level", "local", "long"):
        columns = before[part].get("columns", before[part])
        now = after[part].get("columns", after[part])
        for name, column in columns.items():
            np.testing.assert_array_equal(column, now[name], err_msg=name)


def test_the_state_carries_everything() -> None:
    """One that takes over the state goes on with the same bits."""
    generator = np.random.default_rng(19)
    history, other = History(SIGNALS), History(SIGNALS)
    history.seen(usual(4 * 700, generator).reshape(-1, 4))
    other.calibration.load_state_dict(history.calibration.state_dict())
    other.age_K = history.age_K.copy()
    evidence_BE = usual(4 * 600, generator).reshape(-1, 4)
    evidence_BE[200:230] *= 20.0
    for begin in (0, 300):
        part = evidence_BE[begin : begin + 300]
        np.testing.assert_array_equal(history.epoch(part).p_B, other.epoch(part).p_B)
    probe = usual(40, generator).reshape(-1, 4)
    np.testing.assert_array_equal(history.p(probe), other.p(probe))


def test_a_slot_that_goes_to_another_key_has_no_tail_of_the_former() -> None:
    """A cleared slot is judged as one that never was."""
    generator = np.random.default_rng(4)
    history = History(num_keys=3)
    for _ in range(3):
        history.epoch(usual(500, generator), np.repeat([0, 1], 250))
    raw = np.array([2.0, 9.0, 30.0])
    for columns in history.calibration.per_key():
        columns.clear(np.array([1]))
    np.testing.assert_array_equal(history.p(raw, slots(3, 1)), history.p(raw, slots(3, 2)))
