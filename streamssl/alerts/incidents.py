"""Anomalies of a key that follow one another form one incident, and the budget counts incidents.

A key spends a token for every incident; one comes back every 1 / budget events. Ten are free, each
one after that asks for a p-value smaller by e, and at thirty nothing opens: the key is muted. An
incident that goes on asks for more, too: after f > 16 anomalies for a p-value smaller by
(f / 16)^2. One that lasts is accepted as the new normal.

B = events, K = keys. Arrays with the suffix S are sorted by key, in order within a key.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamssl.arithmetic.acceptance import ACCEPTANCE, Acceptance
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns, Runs
from streamssl.data.results import INCIDENT_STATES

NONE, START, ONGOING, END, ACCEPTED, MUTED = range(len(INCIDENT_STATES))
NEVER = -1
# docs/research-log.md, "Constants of the arithmetic"
FREE_TOKENS = 10.0
MOST_TOKENS = 30.0
FREE_ANOMALIES = 16.0
# What a key remembers: first event and last rare one of its incident, and the tokens it spent.
INTEGERS = ("offset", "index", "began", "last", "counted", "accepted", "flagged")
NUMBERS = ("opened_at", "spent")
CARRIED = ("offset", "index", "last", "counted")
NOTHING = (float("nan"),) * (len(CARRIED) + len(NUMBERS))


@dataclass(frozen=True, slots=True)
class IncidentStep:
    """Incidents of a batch, and the keys' state after it (not yet written).

    Attributes:
        offset_B, index_B: Position of the first event of the row's incident, or -1.
        state_B: Index into `INCIDENT_STATES`.
        anomaly_B: Which rows are anomalies: the p-value is up to the threshold.
        threshold_B: p-value up to which the row would be an anomaly.
        slots: `[K]` keys of the batch.
        integers_KX, numbers_KX: What they remember, in the order of `INTEGERS` and `NUMBERS`.
    """

    offset_B: IntArray
    index_B: IntArray
    state_B: IntArray
    anomaly_B: BoolArray
    threshold_B: FloatArray
    slots: IntArray
    integers_KX: IntArray
    numbers_KX: FloatArray


class Incidents:
    """Groups anomalies into incidents, per key, within the budget of each key.

    Args:
        incident_gap: Normal events of the key that end an incident.
        acceptance: Events after which an incident is accepted, by the events of the key.
    """

    def __init__(
        self,
        *,
        incident_gap: int = 32,
        acceptance: Acceptance = ACCEPTANCE,
    ) -> None:
        self.gap = incident_gap
        self.acceptance = acceptance
        self.columns = KeyColumns(
            integers=((len(INTEGERS),), np.int64, NEVER), numbers=((len(NUMBERS),), np.float64, 0.0)
        )

    def read(
        self,
        slot_B: IntArray,
        age_B: IntArray,
        p_B: FloatArray,
        position_B2: IntArray,
        budget: float,
    ) -> IncidentStep:
        """Incident of each row (each key's rows in order); changes nothing.

        An incident opens at p <= budget exp(-max(spent - 10, 0)) where no other is open, and is
        open until `incident_gap` events pass without a rare one; the event that completes the gap
        carries `end`. The event at which one becomes the new normal carries `accepted`, one that
        would open an incident but for the tokens `muted`.

        Args:
            slot_B: Slot of each row's key.
            age_B: Events of the key before the row.
            p_B: p-values; 1 where none may alert.
            position_B2: Offset and index of each row.
            budget: Incidents allowed, as a share of events.
        """
        runs = Runs(slot_B)
        walk = _Walk(self, runs, budget, age_B, position_B2)
        candidates = runs.order[p_B[runs.order] <= budget]
        for row, key, p in zip(
            candidates.tolist(),
            runs.group[candidates].tolist(),
            p_B[candidates].tolist(),
            strict=True,
        ):
            walk.step(row, key, p)
        return walk.finish()

    def write(self, step: IncidentStep) -> None:
        """Move on to what `read` returned."""
        self.columns["integers"][step.slots] = step.integers_KX
        self.columns["numbers"][step.slots] = step.numbers_KX

    def take_accepted(self, slots: IntArray) -> IntArray:
        """Those of `slots` whose incident was accepted since the last call."""
        place = INTEGERS.index("accepted")
        found = slots[self.columns["integers"][slots, place] > 0]
        self.columns["integers"][found, place] = NEVER
        return found

    def threshold(self, slots: IntArray, age_K: IntArray, budget: float) -> FloatArray:
        """`[K]` p-value at which an incident of keys of some age would open."""
        spent_K = self.columns["numbers"][slots, NUMBERS.index("spent")]
        counted_K = self.columns["integers"][slots, INTEGERS.index("counted")]
        spent_K -= budget * np.where(counted_K >= 0, age_K - counted_K, 0)
        return budget * np.exp(-np.maximum(spent_K - FREE_TOKENS, 0.0))

    def muted(self, slots: IntArray) -> BoolArray:
        """`[K]` whether the keys had spent all their tokens at their last rare event."""
        spent_K = self.columns["numbers"][slots, NUMBERS.index("spent")]
        muted_K: BoolArray = spent_K > MOST_TOKENS - 1.0
        return muted_K

    def state_dict(self) -> dict[str, Any]:
        """Every key's last incident and the tokens it spent."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.columns.load_state_dict(state)


@dataclass(slots=True)
class _Key:
    """What a key remembers, as plain numbers."""

    offset: int
    index: int
    began: int
    last: int
    counted: int
    accepted: int
    flagged: int
    opened_at: float
    spent: float

    def threshold(self) -> float:
        """p-value up to which an event of the open incident is an anomaly."""
        return self.opened_at * float(_asked(self.flagged))


class _Walk:
    """One pass over the rare rows of a batch, key by key."""

    def __init__(
        self,
        incidents: Incidents,
        runs: Runs,
        budget: float,
        age_B: IntArray,
        position_B2: IntArray,
    ) -> None:
        self._incidents, self._runs, self._budget = incidents, runs, budget
        self._age_B, self._position_B2 = age_B, position_B2
        columns = incidents.columns
        self._integers_KX = columns["integers"][runs.slots]
        self._numbers_KX = columns["numbers"][runs.slots]
        self._keys: dict[int, _Key] = {}
        # Of each row that changes what its key remembers: the row, and what is remembered then.
        self._changed: list[int] = []
        self._memory: list[tuple[int, int, int, int, float, float]] = []
        self._state_B = np.zeros(len(age_B), np.int64)
        self._anomaly_B = np.zeros(len(age_B), bool)
        self._asked_B = np.full(len(age_B), np.nan)  # of the rare rows of open incidents

    def _key(self, key: int) -> _Key:
        if key not in self._keys:
            self._keys[key] = _Key(
                *self._integers_KX[key].tolist(), *self._numbers_KX[key].tolist()
            )
        return self._keys[key]

    def step(self, row: int, key: int, p: float) -> None:
        """Judge one rare row."""
        memory, age = self._key(key), int(self._age_B[row])
        if memory.counted >= 0:
            memory.spent = max(0.0, memory.spent - self._budget * (age - memory.counted))
        memory.counted = age
        if memory.last != NEVER and age - memory.last <= self._incidents.gap:
            self._go_on(memory, row, age, p)
        elif memory.accepted == NEVER:
            self._open(memory, row, age, p)
        self._changed.append(row)
        self._memory.append(
            (memory.offset, memory.index, memory.last, age, memory.threshold(), memory.spent)
        )

    def _go_on(self, memory: _Key, row: int, age: int, p: float) -> None:
        if age - memory.began >= self._incidents.acceptance.after(age):
            self._state_B[row], memory.accepted, memory.last = ACCEPTED, 1, NEVER
        elif p <= memory.opened_at:
            memory.last, self._asked_B[row] = age, memory.threshold()
            if p <= self._asked_B[row]:
                self._anomaly_B[row], memory.flagged = True, memory.flagged + 1

    def _open(self, memory: _Key, row: int, age: int, p: float) -> None:
        if memory.spent > MOST_TOKENS - 1.0:
            self._state_B[row] = MUTED
            return
        threshold = self._budget * math.exp(-max(memory.spent - FREE_TOKENS, 0.0))
        if p <= threshold:
            memory.offset, memory.index = self._position_B2[row].tolist()
            memory.began, memory.last, memory.flagged = age, age, 1
            memory.opened_at, memory.spent = threshold, memory.spent + 1.0
            self._state_B[row], self._anomaly_B[row] = START, True

    def finish(self) -> IncidentStep:
        """The rows between the rare ones, and what the keys remember."""
        runs, gap = self._runs, self._incidents.gap
        offset_S, index_S, last_S, counted_S, opened_at_S, spent_S = self._carried()
        age_S = self._age_B[runs.order]
        since_S = np.where(last_S == NEVER, gap + 1, age_S - last_S)
        state_S = self._state_B[runs.order]
        plain_S = np.select([since_S < gap, since_S == gap], [ONGOING, END], NONE)
        state_S = np.where(state_S == NONE, plain_S, state_S)
        idle_S = np.where(counted_S >= 0, age_S - counted_S, 0)
        left_S = np.maximum(spent_S - self._budget * idle_S, 0.0)
        fresh_S = self._budget * np.exp(-np.maximum(left_S - FREE_TOKENS, 0.0))
        threshold_S = np.where(since_S < gap, opened_at_S, fresh_S)
        asked_S = self._asked_B[runs.order]
        threshold_S = np.where(np.isnan(asked_S), threshold_S, asked_S)
        shown_S = (state_S != NONE) & (state_S != MUTED)
        integers, numbers = np.empty((3, len(age_S)), np.int64), np.empty(len(age_S))
        columns = np.where(shown_S, offset_S, NEVER), np.where(shown_S, index_S, NEVER), state_S
        integers[:, runs.order] = columns
        numbers[runs.order] = threshold_S
        for key, memory in self._keys.items():
            self._integers_KX[key] = [getattr(memory, name) for name in INTEGERS]
            self._numbers_KX[key] = [getattr(memory, name) for name in NUMBERS]
        return IncidentStep(
            integers[0],
            integers[1],
            integers[2],
            self._anomaly_B,
            numbers,
            runs.slots,
            self._integers_KX,
            self._numbers_KX,
        )

    def _carried(self) -> FloatArray:
        """`[6, B]` what each row's key remembers at it: since the last rare row, or from before."""
        runs = self._runs
        changed_B = np.full(len(runs.order), NEVER)
        changed_B[self._changed] = np.arange(len(self._changed))
        changed_S = changed_B[runs.order]
        place_S = np.where(changed_S == NEVER, NEVER, np.arange(len(changed_S)))
        latest_S = np.maximum.accumulate(place_S) if len(place_S) else place_S
        own_S1 = (latest_S >= np.repeat(runs.starts, runs.counts))[:, None]
        memory_X6 = np.array([*self._memory, NOTHING])
        integers = [self._integers_KX[:, INTEGERS.index(name)] for name in CARRIED]
        opened_at_K, spent_K = self._numbers_KX.T
        flagged_K = self._integers_KX[:, INTEGERS.index("flagged")]
        numbers = [opened_at_K * _asked(flagged_K), spent_K]
        held_S6 = np.repeat(np.stack([*integers, *numbers], axis=1), runs.counts, axis=0)
        return np.where(own_S1, memory_X6[changed_S[latest_S]], held_S6).T


def _asked(flagged: Any) -> Any:
    """By what the threshold of an incident falls, after so many anomalies."""
    return np.minimum(1.0, FREE_ANOMALIES / np.maximum(flagged, 1)) ** 2
