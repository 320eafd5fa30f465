"""Promises of the schedule."""

from __future__ import annotations

import pytest
import torch

from streamssl.config.sections import LearnConfig, LearnerConfig
from streamssl.learner.schedule import Schedule, fitting_batch, one_cycle


def schedule(**learn: float) -> Schedule:
    return Schedule(learn=LearnConfig.model_validate(learn), learner=LearnerConfig(), width=4)


def test_one_cycle_is_torchs() -> None:
    """The rates are those of torch's OneCycleLR."""
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 1.0, total_steps=101, pct_start=0.3, div_factor=25, final_div_factor=40
    )
    rates = []
    for _ in range(101):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(rates) < 101:
            cycle.step()
    given = [one_cycle(step, 101, 1.0) for step in range(101)]
    assert given == pytest.approx(rates, rel=1e-6)
    assert max(given) == pytest.approx(1.0, abs=1e-2)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 500])
def test_rates_are_positive_and_below_the_peak(num_steps: int) -> None:
    """A burst of any length has rates within (0, peak]."""
    assert all(0.0 < one_cycle(step, num_steps, 0.5) <= 0.5 for step in range(num_steps))


def test_fractions_of_steps_are_carried() -> None:
    """Small epochs add up: 1,000 events at 1/8 sample each are as many steps as one epoch's."""
    whole, small = (
        schedule(burst_steps=0, burst_after=1, upkeep_batch=32, samples_per_event=0.125)
        for _ in range(2)
    )
    at_once = len(whole.plan(num_events=1_024, num_learnt=1_024).rates)
    in_pieces = sum(len(small.plan(num_events=16, num_learnt=1_024).rates) for _ in range(64))
    assert at_once == in_pieces == 4


def test_no_burst_is_over_at_once() -> None:
    """With `burst_steps: 0` the space is final from the start."""
    assert schedule(burst_steps=0).burst_over


def test_steps_are_counted_over_epochs() -> None:
    """The plan says which step is its first: an objective's turn does not depend on epochs."""
    upkeep = schedule(burst_steps=3, burst_slice=2, burst_after=1, upkeep_batch=16)
    plans = [upkeep.plan(num_events=64, num_learnt=64) for _ in range(5)]
    assert [plan.first for plan in plans] == [0, 2, 3, 4, 5]
    assert [plan.batch for plan in plans] == [32, 32, 16, 16, 16]
    assert [plan.burst for plan in plans] == [True, True, False, False, False]


@pytest.mark.parametrize(("width", "batch"), [(1, 256), (128, 256), (500, 65), (100_000, 8)])
def test_wide_streams_take_smaller_batches(width: int, batch: int) -> None:
    """A step's cost is bounded, whatever the stream's width."""
    assert fitting_batch(256, width) == batch
