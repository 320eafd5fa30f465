"""When optimiser steps are taken and how large they are: a burst once, then endless upkeep."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from streamssl.config.sections import LearnConfig, LearnerConfig

WARM_SHARE = 0.3
FIRST_RATE = 1 / 25
LAST_RATE = 1e-3
WIDE = 128  # wider inputs take smaller batches
SMALLEST_BATCH = 8
EVENTS_PER_STEP = 128  # events to a step of a burst while input waits


def one_cycle(step: int, num_steps: int, peak: float) -> float:
    """Learning rate of a step: cosine up to `peak`, then cosine down (Smith & Topin 2019).

    Example:
        >>> [round(one_cycle(step, 10, 1.0), 2) for step in (0, 3, 9)]
        [0.04, 0.95, 0.0]
    """
    top = WARM_SHARE * num_steps - 1
    if step <= top:
        start, progress = FIRST_RATE, step / top
    else:
        start, progress = LAST_RATE, 1 - (step - top) / (num_steps - 1 - top)
    return peak * (start + (1 - start) * (1 - math.cos(math.pi * progress)) / 2)


class Plan(NamedTuple):
    """The steps of an epoch's end.

    Attributes:
        rates: Learning rate of each.
        batch: Samples of each.
        first: Steps planned before; it decides whose turn it is.
        burst: Whether they belong to the burst.
    """

    rates: list[float]
    batch: int
    first: int
    burst: bool


class Schedule:
    """Plans the steps of an epoch's end.

    Args:
        learn: Sizes of the burst and of upkeep.
        learner: The two learning rates.
        width: Values of one row of the inputs.
    """

    def __init__(self, *, learn: LearnConfig, learner: LearnerConfig, width: int) -> None:
        self._burst_batch = fitting_batch(learn.batch, width)
        self._upkeep_batch = fitting_batch(learn.upkeep_batch, width)
        self._learn = learn
        self._learner = learner
        self.burst_step = 0
        self._num_planned = 0
        self._credit = 0.0  # steps owed by upkeep, a fraction is carried to the next epoch

    @property
    def burst_over(self) -> bool:
        """True once the first burst is done."""
        return self.burst_step >= self._learn.burst_steps

    def plan(self, *, num_events: int, num_learnt: int, backlog: bool = False) -> Plan:
        """The steps to take now, for an epoch of `num_events`; fewer of a burst under a backlog."""
        first, burst = self._num_planned, not self.burst_over
        rates: list[float] = []
        if num_learnt >= self._learn.burst_after:
            rates = self._burst(num_events, backlog) if burst else self._upkeep(num_events)
        self._num_planned += len(rates)
        return Plan(rates, self._burst_batch if burst else self._upkeep_batch, first, burst)

    def state_dict(self) -> dict[str, Any]:
        """Where burst and upkeep stand."""
        return {
            "burst_step": self.burst_step,
            "num_planned": self._num_planned,
            "credit": self._credit,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.burst_step = int(state["burst_step"])
        self._num_planned = int(state["num_planned"])
        self._credit = float(state["credit"])

    def _burst(self, num_events: int, backlog: bool) -> list[float]:
        """The burst's next slice: in one piece it would hold up scores for seconds."""
        num_steps = self._learn.burst_steps
        size = max(1, num_events // EVENTS_PER_STEP) if backlog else self._learn.burst_slice
        stop = min(self.burst_step + size, num_steps)
        steps = range(self.burst_step, stop)
        self.burst_step = stop
        return [one_cycle(step, num_steps, self._learner.learning_rate) for step in steps]

    def _upkeep(self, num_events: int) -> list[float]:
        self._credit += self._learn.samples_per_event * num_events / self._upkeep_batch
        num_steps = int(self._credit)
        self._credit -= num_steps
        return [self._learner.upkeep_learning_rate] * num_steps


def fitting_batch(batch: int, width: int) -> int:
    """Samples of a step: as configured, fewer for a wide stream."""
    return max(min(batch, batch * WIDE // width), SMALLEST_BATCH)
