"""From evidence to p-values by the recent past of the stream.

Each key has two yardsticks for each kind of evidence: a local one of how far the evidence is from
its own slow level, and a long one of the evidence itself. A p-value is the share of past values
above; the long one is a second opinion within a factor of ten. Of several kinds of evidence the
smallest p-value in relation to its weight counts. Before there is a past to compare with,
1 / (1 + raw^2) stands in.

B = events, K = keys, E = kinds of evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from streamssl.alerts.first_level import FirstLevel, FirstStep, by_all_keys
from streamssl.alerts.level import (
    MIDDLE,
    PLAIN_ROWS,
    SECOND_OPINION,
    LevelStep,
    LocalLevel,
    about_level,
)
from streamssl.alerts.tables import KNOTS, PRIOR_SCORES, SMALLEST_COUNT
from streamssl.alerts.yardstick import Alarm, Yardstick
from streamssl.arithmetic.histogram import NUM_BINS, log_position, value_at
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.data.results import BLENDED, NEW, OWN

# docs/research-log.md, "Constants of the arithmetic"
LONG_PATIENCE = 2.0  # accepted runs, by when the statistics have accepted what they ever will
# p-values of the lowest and the highest step of the level
LEVEL_SHARES = (0.99, 0.01)
LEVEL_KNOTS = [KNOTS.tolist().index(p) for p in LEVEL_SHARES]
LEAST_SIGNAL = 4.0  # deviations at which a signal may alarm
LEAST_PLACE = float(log_position(np.array([LEAST_SIGNAL]))[0])
LEAST_STEP = 1.0  # bins that a row may always move the level
SCREEN = 0.05  # p-value under which a signal is looked at
SCREEN_KNOT = KNOTS.tolist().index(SCREEN)
PARTS = ("level", "local", "long", "first")
SETTLED_ROWS = 64


class LevelSteps(NamedTuple):
    """The keys' levels after a batch, not yet written; `first` None where nobody is new."""

    local: LevelStep
    first: FirstStep | None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """p-values of a batch, and the keys' levels after it (not yet written).

    Attributes:
        p_B: Smallest weighted p-value, in (0, 1].
        winner_B: Which evidence gave it.
        level_BE: Local level of the evidence at each row.
        warming_B: Index into `WARMING`.
        step: The keys' levels after the batch.
    """

    p_B: FloatArray
    winner_B: IntArray
    level_BE: FloatArray
    warming_B: IntArray
    step: LevelSteps


class Calibration:
    """Maps evidence to p-values, per key, from evidence of past epochs.

    Args:
        weights: Share of the alert budget of each kind of evidence; the first is the raw score.
        calibration_memory: Values that the yardsticks remember.
        calibration_warmup: Values of a key before its p-values are trusted.
    """

    def __init__(
        self,
        weights: Sequence[float] = (1.0,),
        *,
        calibration_memory: int = 20_000,
        calibration_warmup: int = 256,
    ) -> None:
        self.weights, self.warmup = np.array(weights), calibration_warmup
        num_evidence = len(self.weights)
        self.level = LocalLevel(num_evidence=num_evidence)
        self.first = FirstLevel()
        self.local = Yardstick(num_evidence=num_evidence, memory=calibration_memory)
        self.long = Yardstick(
            num_evidence=num_evidence, memory=calibration_memory, patience=LONG_PATIENCE
        )

    def read(
        self,
        slot_B: IntArray,
        evidence_BE: FloatArray,
        fitted_B: BoolArray,
        newcomer_B: BoolArray | None = None,
    ) -> Calibrated:
        """p-values of events (each key's in order); changes nothing.

        Args:
            slot_B: Slots of the events' keys.
            evidence_BE: Their evidence.
            fitted_B: Whether the scorers were ready; all events of a key are alike.
            newcomer_B: Keys that all keys' scores judge until they have enough; None for none.
        """
        runs, position_BE = Runs(slot_B), log_position(evidence_BE)
        step = self.level.read(runs, position_BE, fitted_B, self._bounds(runs.slots))
        about_BE = about_level(position_BE, step.level_BE)
        names = runs.slots * len(self.weights)
        tables = self.local.tables(names)
        p_B = tables.p_value(runs.group, about_BE[:, 0])
        self._second_opinion(names, runs.group, position_BE[:, 0], p_B)
        rows, p_R = self._without_level(names, runs.group, position_BE[:, 0], step.level_BE[:, 0])
        p_B[rows] = p_R
        p_B, winner_B = np.minimum(p_B / self.weights[0], 1.0), np.zeros(len(p_B), np.int64)
        for e in range(1, len(self.weights)):
            self._signal(e, runs, position_BE[:, e], about_BE[:, e], p_B, winner_B)
        # A key's first rows have no level, so that they are seen but not counted.
        num_K = np.maximum(tables.total_K - NUM_BINS * SMALLEST_COUNT, self.local.seen(names))
        prior_K = np.exp(-num_K / PRIOR_SCORES)
        if prior_K.max(initial=0.0) > 0.0:
            prior_B = prior_K[runs.group]
            p_B = (1.0 - prior_B) * p_B + prior_B / (1.0 + evidence_BE[:, 0] ** 2)
        warming_B = np.where(fitted_B & self.ready(slot_B), OWN, NEW)
        first = None
        if newcomer_B is not None and newcomer_B.any():
            young_B = newcomer_B & (warming_B != OWN)
            first_B, may_alert_B, first = self.first.read(runs, newcomer_B, position_BE[:, 0])
            warming_B[young_B & may_alert_B] = BLENDED
            all_keys = self.long.of_all(0), self.local.of_all(0)
            p_R = by_all_keys(*all_keys, position_BE[young_B, 0], first_B[young_B])
            p_B[young_B] = np.minimum(p_R / self.weights[0], 1.0)
            winner_B[young_B] = 0
        return Calibrated(p_B, winner_B, step.level_BE, warming_B, LevelSteps(step, first))

    def _second_opinion(
        self, names: IntArray, group_B: IntArray, position_B: FloatArray, p_B: FloatArray
    ) -> None:
        """P = max(p_local, p_long / 10), in place; the long one is read where that can count."""
        rows = np.flatnonzero(p_B < 1.0 / SECOND_OPINION)
        if len(rows):
            second_R = self.long.tables(names).p_value(group_B[rows], position_B[rows])
            p_B[rows] = np.maximum(p_B[rows], second_R / SECOND_OPINION)

    def _without_level(
        self, names: IntArray, group_B: IntArray, position_B: FloatArray, level_B: FloatArray
    ) -> tuple[IntArray, FloatArray]:
        """Rows of keys without a level yet, and their p-values by the long yardstick."""
        rows = np.flatnonzero(np.isnan(level_B))
        if not len(rows):
            return rows, np.empty(0)
        return rows, self.long.tables(names).p_value(group_B[rows], position_B[rows])

    def _signal(
        self,
        e: int,
        runs: Runs,
        position_B: FloatArray,
        about_B: FloatArray,
        p_B: FloatArray,
        winner_B: IntArray,
    ) -> None:
        """Lower p-values, in place, where a signal is rare and its yardstick has seen enough."""
        warm_K = self.local.warm(runs.slots, e, self.warmup)
        screen_K = self.local.columns["table"][runs.slots, e, SCREEN_KNOT]
        screen_K = np.where(warm_K, screen_K, np.inf)
        rows = np.flatnonzero((about_B >= screen_K[runs.group]) & (position_B >= LEAST_PLACE))
        if not len(rows):
            return
        names, group_R = runs.slots * len(self.weights) + e, runs.group[rows]
        p_R = self.local.tables(names).p_value(group_R, about_B[rows])
        self._second_opinion(names, group_R, position_B[rows], p_R)
        p_R /= self.weights[e]
        lower_R = p_R < p_B[rows]
        p_B[rows[lower_R]], winner_B[rows[lower_R]] = p_R[lower_R], e

    def _bounds(self, slots: IntArray) -> FloatArray:
        """`[K, 2, E]` how far a row may move the level: infinitely while the key is young."""
        table_KEX = self.local.columns["table"][slots]
        bounds_K2E = (table_KEX[:, :, LEVEL_KNOTS] - MIDDLE).transpose(0, 2, 1)
        bounds_K2E[:, 0] = np.minimum(bounds_K2E[:, 0], -LEAST_STEP)
        bounds_K2E[:, 1] = np.maximum(bounds_K2E[:, 1], LEAST_STEP)
        young_KE = self.local.columns["seen"][slots] < PLAIN_ROWS
        free = np.array([-np.inf, np.inf])[None, :, None]
        return np.where(young_KE[:, None], free, bounds_K2E)

    def write(self, step: LevelSteps) -> None:
        """Move the levels on to what `read` returned."""
        self.level.write(step.local)
        self.first.write(step.first)

    def ready(self, slot_B: IntArray) -> BoolArray:
        """`[B]` whether calibration has seen enough of the key."""
        ready_B: BoolArray = self.seen(slot_B) >= self.warmup
        return ready_B

    def seen(self, slot_B: IntArray) -> IntArray:
        """`[B]` values of the key that the yardsticks have seen."""
        return self.local.seen(slot_B * len(self.weights))

    def learn(
        self,
        slot_B: IntArray,
        age_B: IntArray,
        evidence_BE: FloatArray,
        level_BE: FloatArray,
        alarms: Callable[[IntArray, IntArray], Alarm],
    ) -> None:
        """Take in an epoch's evidence of fitted scorers, anomalies too.

        Args:
            slot_B: Slots of the rows' keys.
            age_B: Events of the key before each row.
            evidence_BE: As it was read.
            level_BE: As `read` gave it.
            alarms: What counts as an alarm at weight 1 for keys of given slots and ages.
        """
        position_BE, runs = log_position(evidence_BE), Runs(slot_B)
        alarm = alarms(runs.slots, age_B[runs.order[runs.starts]])
        alarm = alarm._replace(
            p_KE=alarm.p_KE * self.weights, largest_p_KE=alarm.largest_p_KE * self.weights
        )
        known_B = ~np.isnan(level_BE[:, 0])
        self.local.learn(runs, age_B, about_level(position_BE, level_BE), alarm, known_B)
        self.long.learn(runs, age_B, position_BE, alarm)

    def restart(self, e: int, slot_R: IntArray, value_R: FloatArray) -> FloatArray:
        """Begin one kind of evidence anew for keys for which it means something else now.

        Args:
            e: Which kind.
            slot_R: Slots of the keys' rows of an epoch.
            value_R: What the evidence of these rows would be now.

        Returns:
            `[R]` the level to compare them with: their mean, the key's level from now on.
        """
        slots, group_R = np.unique(slot_R, return_inverse=True)
        for yardstick in (self.local, self.long):
            yardstick.clear(slots, e)
        level_K = np.bincount(group_R, log_position(value_R)) / np.bincount(group_R)
        self.level.columns["level"][slots, e] = level_K
        return level_K[group_R]

    def alarm_value(
        self, e: int, slot_B: IntArray, level_B: FloatArray, p_B: FloatArray
    ) -> FloatArray:
        """`[B]` value of one kind of evidence at which its p-value alone would be an alarm.

        Args:
            e: Which kind.
            slot_B: Slots of the rows' keys.
            level_B: Its local level at each row.
            p_B: p-value that is an alarm.
        """
        names, p_B = slot_B * len(self.weights) + e, p_B * self.weights[e]
        local_B = self.local.tables(names).place(p_B) - MIDDLE + np.nan_to_num(level_B)
        long_B = self.long.tables(names).place(np.minimum(SECOND_OPINION * p_B, KNOTS[0]))
        return value_at(np.maximum(np.maximum(local_B, long_B), LEAST_PLACE))

    def settle(self, slot_B: IntArray, evidence_BE: FloatArray, accepted: IntArray) -> None:
        """Let the level of keys jump to where the evidence is: a shift was accepted.

        Args:
            slot_B: Slots of an epoch's rows.
            evidence_BE: Of these rows.
            accepted: Slots of the keys.
        """
        for slot in accepted.tolist():
            rows = np.flatnonzero(slot_B == slot)[-SETTLED_ROWS:]
            self.level.columns["level"][slot] = log_position(evidence_BE[rows]).mean(0)

    def per_key(self) -> list[KeyColumns]:
        """The columns of levels and yardsticks."""
        return [getattr(self, name).columns for name in PARTS]

    def state_dict(self) -> dict[str, Any]:
        """Levels and yardsticks of every key."""
        return {name: getattr(self, name).state_dict() for name in PARTS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name in PARTS:
            if name in state:  # A state of before newcomers has none.
                getattr(self, name).load_state_dict(state[name])
        self.first.columns.ensure(self.level.columns.num_slots)
