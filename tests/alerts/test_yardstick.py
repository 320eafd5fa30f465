"""Yardsticks: what a histogram takes in is bounded, and what is common becomes normal."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.alerts.yardstick import BOUND, GROWTH, Alarm, Yardstick
from streamssl.data.events import FloatArray, IntArray
from streamssl.data.keys import Runs

BUDGET, GAP, ACCEPTED = 1e-3, 32, 500.0
USUAL, FAR = 160.0, 280.0


def alarm(num_keys: int, num_evidence: int = 1) -> Alarm:
    """The same alarm for every key and kind of evidence."""
    p_KE = np.full((num_keys, num_evidence), BUDGET)
    return Alarm(p_KE, p_KE, GAP, np.full(num_keys, ACCEPTED))


class History:
    """A yardstick and how many events its keys have had."""

    def __init__(
        self,
        num_keys: int = 1,
        num_evidence: int = 1,
        memory: int = 20_000,
        patience: float = 1.0,
    ) -> None:
        self.yardstick = Yardstick(num_evidence=num_evidence, memory=memory, patience=patience)
        self.yardstick.columns.ensure(num_keys)
        self.age_K = np.zeros(num_keys, np.int64)

    def learn(self, place_B: FloatArray, slot_B: IntArray | None = None) -> None:
        """An epoch: places of one or several kinds of evidence."""
        slot_B = np.zeros(len(place_B), np.int64) if slot_B is None else slot_B
        runs = Runs(slot_B)
        age_B = self.age_K[slot_B] + runs.rank
        place_BE = place_B.reshape(len(place_B), -1)
        self.yardstick.learn(runs, age_B, place_BE, alarm(len(runs.slots), place_BE.shape[1]))
        self.age_K[runs.slots] += runs.counts

    def usual(self, num_rows: int, generator: np.random.Generator, size: int = 250) -> None:
        """Ordinary rows, in epochs."""
        for _ in range(num_rows // size):
            self.learn(ordinary(size, generator))

    def p(self, place_B: FloatArray, name: int = 0) -> FloatArray:
        """p-values of places by one histogram."""
        tables = self.yardstick.tables(np.array([name]))
        return tables.p_value(np.zeros(len(place_B), np.int64), place_B)


def ordinary(num_rows: int, generator: np.random.Generator) -> FloatArray:
    """Places that are normal about 160."""
    return generator.normal(USUAL, 12.0, num_rows)


def test_a_stationary_stream_keeps_the_rate() -> None:
    """The share of p-values under q is q: within a tenth, of the rarest within a factor of 1.5."""
    generator, history, found = np.random.default_rng(1), History(), []
    history.usual(5_000, generator)
    for _ in range(160):
        place_B = ordinary(250, generator)
        found.append(history.p(place_B))
        history.learn(place_B)
    p = np.concatenate(found)
    for q in (0.5, 0.1, 0.01):
        assert (p <= q).mean() == pytest.approx(q, rel=0.1)
    assert BUDGET / 1.5 <= (p <= BUDGET).mean() <= 1.5 * BUDGET


@pytest.mark.parametrize("num_rows", [40, 300, 1_000, 8_000])
@pytest.mark.parametrize("far_share", [0.0, 0.003, 0.02])
def test_no_rare_row_is_overlooked(num_rows: int, far_share: float) -> None:
    """What is as rare as an alarm is looked at, wherever the tail of a histogram begins."""
    generator, history = np.random.default_rng(7), History()
    place_B = ordinary(num_rows, generator)
    place_B[generator.random(num_rows) < far_share] += 90.0
    for begin in range(0, num_rows, 250):
        history.learn(place_B[begin : begin + 250])
    runs, probe_B = Runs(np.zeros(3_000, np.int64)), np.linspace(100.0, 320.0, 3_000)
    (rare_from,) = history.yardstick.tables(np.array([0])).place(np.array([BUDGET]))
    high, _ = history.yardstick._high(runs, probe_B[:, None], alarm(1))
    assert set(np.flatnonzero(probe_B >= rare_from)) <= set(high.tolist())
    assert len(high) < len(probe_B)


def test_a_past_fault_does_not_hide_the_next() -> None:
    """A hundred rows far off, ten times: each is an alarm by the yardstick that saw the others."""
    generator, history = np.random.default_rng(2), History()
    history.usual(5_000, generator)
    for _ in range(10):
        assert (history.p(np.array([FAR])) < BUDGET).all()
        history.learn(np.full(100, FAR))
        history.usual(1_000, generator)
    assert (history.p(np.array([FAR])) < BUDGET).all()


def test_a_rare_score_enters_as_half_a_decade_less_rare_than_an_alarm() -> None:
    """However far off, an entry is bounded at the place of p = budget / 3.2."""
    history = History()
    history.usual(5_000, np.random.default_rng(3))
    tables = history.yardstick.tables(np.array([0]))
    bound = float(tables.place(np.array([BUDGET / BOUND]))[0])
    before_N = history.yardstick.columns["counts"][0, 0].copy()
    history.learn(np.array([FAR]))
    (entered,) = np.flatnonzero(history.yardstick.columns["counts"][0, 0] != before_N)
    assert entered == int(bound)


def test_a_run_counts_once() -> None:
    """Of rare rows with short gaps between only half the budget's share counts, of the next too."""
    history = History()
    history.usual(10_000, np.random.default_rng(4))
    most = round(0.5 * BUDGET * 10_000)
    weights = [entered(history, np.full(100, FAR)) for _ in range(2)]
    assert weights[0] == pytest.approx(most, abs=1)
    assert weights[1] == 0.0  # the run goes on
    history.learn(np.full(GAP + 1, USUAL))
    assert entered(history, np.full(100, FAR)) == pytest.approx(most, abs=1)


def entered(history: History, place_B: FloatArray) -> float:
    """How many of the rows came in, each at its own weight."""
    grown = history.yardstick.columns["grown"]
    before = int(grown[0, 0])
    history.learn(place_B)
    return int(grown[0, 0]) - before


def test_what_is_common_becomes_normal() -> None:
    """After so many rare rows as an accepted incident has, they count in full and are ordinary."""
    history = History()
    history.usual(2_000, np.random.default_rng(5))
    for _ in range(int(ACCEPTED) // 50 - 1):
        history.learn(np.full(50, FAR))
        assert (history.p(np.array([FAR])) < BUDGET).all()
    for _ in range(6):
        history.learn(np.full(50, FAR))
    assert (history.p(np.array([FAR - 1.0])) > 50 * BUDGET).all()


def test_a_patient_yardstick_waits_for_the_statistics() -> None:
    """Rare rows of one accepted run leave it as it was; those of three are its new normal."""
    history = History(patience=2.0)
    history.usual(2_000, np.random.default_rng(5))
    for _ in range(int(1.5 * ACCEPTED) // 50):
        history.learn(np.full(50, FAR))
    assert (history.p(np.array([FAR])) < BUDGET).all()
    for _ in range(int(1.5 * ACCEPTED) // 50):
        history.learn(np.full(50, FAR))
    assert (history.p(np.array([FAR - 1.0])) > 50 * BUDGET).all()


def test_rare_rows_between_many_ordinary_ones_stay_rare() -> None:
    """A quarter of the ordinary rows count against: one row in ten never becomes the new normal."""
    generator, history = np.random.default_rng(6), History()
    history.usual(2_000, generator)
    for _ in range(60):
        place_B = ordinary(100, generator)
        place_B[::10] = FAR
        history.learn(place_B)
    assert history.yardstick.columns["lasting"].max() == 0.0


def test_a_histogram_decays_by_its_memory() -> None:
    """Old scores weigh (1 - 1/M)^n after n new ones, where weights are scaled back too."""
    memory, generator, history = 300, np.random.default_rng(7), History(memory=300)
    expected_N = np.zeros(320)
    for _ in range(int(2.5 * GROWTH * memory) // 50):
        place_B = generator.uniform(100.0, 220.0, 50)
        held_N, fresh = history.yardstick.columns["counts"], history.yardstick.columns["grown"]
        history.learn(place_B)
        expected_N = (1.0 - 1.0 / memory) ** 50 * expected_N
        expected_N += np.bincount(place_B.astype(int), minlength=320)
    counts_N = held_N[0, 0] * (1.0 - 1.0 / memory) ** float(fresh[0, 0])
    assert counts_N.sum() == pytest.approx(expected_N.sum(), rel=0.05)
    assert np.abs(counts_N - expected_N).max() < 3.0


def test_clearing_forgets_one_kind_of_one_key() -> None:
    """Its counts, its table and its runs; other kinds and other keys keep theirs."""
    generator, history = np.random.default_rng(8), History(num_keys=2, num_evidence=2)
    slot_B = np.repeat([0, 1], 400)
    history.learn(generator.normal(USUAL, 12.0, (800, 2)), slot_B)
    probe, names = np.array([150.0, 190.0]), range(4)
    before = [history.p(probe, name) for name in names]
    history.yardstick.clear(np.array([1]), 0)
    forgotten = 1 * 2 + 0
    for name in names:
        assert np.array_equal(history.p(probe, name), before[name]) == (name != forgotten)
    assert history.yardstick.seen(np.arange(4)).tolist() == [400, 400, 0, 400]
    assert not history.yardstick.warm(np.array([1]), 0, 1)[0]


def test_keys_are_judged_by_their_own_past() -> None:
    """A key's yardstick is what it would be alone, once it leans on no others."""
    generator, both, one = np.random.default_rng(9), History(num_keys=2), History(num_keys=2)
    for _ in range(40):
        place_B, slot_B = generator.normal(USUAL, 12.0, 200), generator.integers(0, 2, 200)
        place_B[slot_B == 1] += 60.0
        both.learn(place_B, slot_B)
        one.learn(place_B[slot_B == 0], slot_B[slot_B == 0])
    probe = np.linspace(130.0, 200.0, 30)
    np.testing.assert_allclose(both.p(probe), one.p(probe), rtol=0.05)


def test_the_state_carries_everything() -> None:
    """One that takes over the state goes on with the same bits."""
    generator, history, other = np.random.default_rng(10), History(), History()
    history.usual(1_000, generator)
    history.learn(np.full(20, FAR))
    other.yardstick.load_state_dict(history.yardstick.state_dict())
    other.age_K = history.age_K.copy()
    place_B = np.concatenate([np.full(30, FAR), ordinary(100, generator)])
    for each in (history, other):
        each.learn(place_B)
    np.testing.assert_array_equal(history.p(place_B), other.p(place_B))
    np.testing.assert_array_equal(history.yardstick.columns["run"], other.yardstick.columns["run"])
