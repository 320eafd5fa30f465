"""The gate: outliers are not learned, shifts are accepted in a stated time."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.scorers.base import FITTED_ROWS
from streamssl.scorers.gate import Gate

GENERATOR = np.random.default_rng(2)


def ready_gate(rows: int, **limits: float) -> Gate:
    """A gate whose one key has seen `rows` ordinary scores."""
    gate = Gate(**limits)  # type: ignore[arg-type]
    gate.columns.ensure(1)
    for _ in range(rows // 100):
        gate.learn(np.zeros(100, np.int64), GENERATOR.chisquare(4, 100))
    return gate


def test_ordinary_rows_pass_and_outliers_do_not() -> None:
    """About the gate's quantile of ordinary rows is learnt, and no far one."""
    gate = ready_gate(3_000)
    scores = GENERATOR.chisquare(4, 400)
    scores[::50] = 100.0
    passed = gate.learn(np.zeros(400, np.int64), scores)
    assert 0.7 < passed.mean() < 0.95
    assert not passed[::50].any()


def test_the_first_rows_all_pass() -> None:
    """Until the free rows are learnt, nothing is known and everything is learnt."""
    gate = ready_gate(0)
    passed = gate.learn(
        np.zeros(FITTED_ROWS + 50, np.int64), np.geomspace(1, 1e4, FITTED_ROWS + 50)
    )
    assert passed[:FITTED_ROWS].all()


@pytest.mark.parametrize(("history", "patience"), [(600, 500), (5_000, 860), (30_000, 3_000)])
def test_a_permanent_shift_is_accepted_in_time(history: int, patience: int) -> None:
    """In quarantine nothing is learnt, until min(max(500, n / 5), 3000) events have passed."""
    gate = ready_gate(history)
    accepted_at = None
    for begin in range(0, 5_000, 50):
        passed = gate.learn(np.zeros(50, np.int64), np.full(50, 50.0))
        if passed.any():
            accepted_at = begin + int(np.argmax(passed))
            break
    assert accepted_at is not None
    assert abs(accepted_at - patience) <= 100


def test_a_burst_ends_and_the_gate_is_as_before() -> None:
    """Quarantine leaves the quantile where it was."""
    gate = ready_gate(2_000)
    before = gate.thresholds(np.array([0]))
    gate.learn(np.zeros(300, np.int64), np.full(300, 80.0))
    np.testing.assert_allclose(gate.thresholds(np.array([0])), before, rtol=0.1)
    gate.learn(np.zeros(100, np.int64), GENERATOR.chisquare(4, 100))
    assert gate.learn(np.zeros(100, np.int64), GENERATOR.chisquare(4, 100)).mean() > 0.6
