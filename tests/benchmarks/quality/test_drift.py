"""The table of drift counts what it says, on streams that are what their names say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.drift import (
    CHANGING,
    MIDDLE,
    NUM_ROWS,
    STATIONARY,
    Rows,
    correlated,
    delay,
    num_false,
    ours,
    shares,
    theirs,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("name", STATIONARY)
def test_stationary_streams_have_one_rate(name: str) -> None:
    """About the same share of rare rows in both halves, whatever their order."""
    rare_N = STATIONARY[name](rng(), 0.1)
    assert len(rare_N) == NUM_ROWS
    assert rare_N[:MIDDLE].mean() == pytest.approx(rare_N[MIDDLE:].mean(), rel=0.25)


@pytest.mark.parametrize("name", CHANGING)
def test_changing_streams_change_in_the_middle(name: str) -> None:
    """The rate is the one asked for before, another one some time after."""
    rare_N = CHANGING[name](rng(), 0.05)
    assert rare_N[:MIDDLE].mean() == pytest.approx(0.05, rel=0.25)
    assert not 0.7 < rare_N[MIDDLE : MIDDLE + 12_000].mean() / 0.05 < 1.3


def test_correlated_rows_come_in_groups() -> None:
    """A rare row is mostly followed by another one."""
    rare_N = correlated(0.98)(rng(), 0.1)
    assert rare_N[1:][rare_N[:-1]].mean() > 0.6


class FirstOfEach:
    """Tells of a drift at every thousandth number."""

    def __init__(self) -> None:
        self.num, self.drift_detected = 0, False

    def update(self, _: float) -> None:
        self.num += 1
        self.drift_detected = self.num % 1_000 == 0


def test_drifts_and_delays_are_counted_in_rows() -> None:
    """Of what is fed by rows and of what is fed by blocks; a stream without one is no figure."""
    streams: list[Rows] = [np.zeros(NUM_ROWS, np.bool_)] * 2
    assert num_false(theirs(FirstOfEach), streams) == "100.0"
    assert delay(theirs(FirstOfEach), streams) == "1,000"
    assert num_false(theirs(FirstOfEach, 50), streams) == "2.0"
    assert delay(theirs(FirstOfEach, 60), streams) == "10,000"
    assert delay(ours(256, 1e-4), streams) == "never"


def test_our_rule_finds_the_step_and_nothing_before() -> None:
    """Shares are of whole blocks; the place is the block's last row."""
    places = list(ours(256, 1e-4)(CHANGING["x 4"](rng(), 0.05)))
    assert len(places) == 1
    assert MIDDLE < places[0] < MIDDLE + 4_000
    assert places[0] % 256 == 0
    assert len(list(shares(np.ones(1_000, np.bool_), 256))) == 3
