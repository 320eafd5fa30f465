"""How far each key's incident has come, and at which of its rows that is told.

It is told at the first row (`start`); at the 8th, from which on its vector is known, and at the
16th, 32nd, 64th, ... where anomalies have come since it was told last (`update`); and where it
ends or is accepted (`end`). Of the events of a muted key the first is told, as an end of its own.

B = events, I = told rows, K = keys, R = rows of incidents, S = runs, N = R + S: before the rows of
each run one place for what was held of its incident.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from streamssl.alerts.incident_runs import NOWHERE, IncidentRuns
from streamssl.alerts.incidents import ACCEPTED, END, START
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.incident_records import KINDS, NUMBERS
from streamssl.data.keys import KeyColumns

# docs/research-log.md, "Constants of the arithmetic"
VECTOR_ROWS = 8
START_KIND, UPDATE_KIND, END_KIND = range(len(KINDS))
# Of each key: its incident's rows, anomalies, largest severity and anomalies when told last; and
# whether a muted event was told since.
HELD = ("rows", "anomalies", "severity", "told", "muted")
TOLD, MUTED_TOLD = HELD.index("told"), HELD.index("muted")


class Events(NamedTuple):
    """What the story of an incident is made of: columns of a batch."""

    state_B: IntArray
    anomaly_B: BoolArray
    severity_B: IntArray
    p_B: FloatArray
    event_time_B: FloatArray


class Told(NamedTuple):
    """Rows of a batch at which an incident is told, ascending.

    Attributes:
        row_I: The rows.
        kind_I: Index into `KINDS`.
        counts_IX: Rows, anomalies and largest severity of the incident up to there.
        numbers_IX: In the order of `NUMBERS`.
    """

    row_I: IntArray
    kind_I: IntArray
    counts_IX: IntArray
    numbers_IX: FloatArray


class StoryStep(NamedTuple):
    """What the keys' incidents were after a batch (not yet written)."""

    slots: IntArray
    counts_KX: IntArray
    numbers_KX: FloatArray


class IncidentStories:
    """Length, anomalies and peak of every key's incident."""

    def __init__(self) -> None:
        self.columns = KeyColumns(
            counts=((len(HELD),), np.int64, 0), numbers=((len(NUMBERS),), np.float64, 0.0)
        )

    def read(self, runs: IncidentRuns, events: Events) -> tuple[Told, StoryStep]:
        """Where the incidents of a batch are told, and what they are then; changes nothing."""
        held_SX = self.columns["counts"][runs.slot_S]
        held_SX[runs.begins_S] = 0
        numbers_SX = self.columns["numbers"][runs.slot_S]
        _begin(runs, events, held_SX, numbers_SX)
        counts_NX = _counts(runs, events, held_SX)
        numbers_NX = _numbers(runs, events, numbers_SX)
        place_I, kind_I = _told(runs, events, counts_NX)
        mute = np.flatnonzero((runs.muted_S != NOWHERE) & (held_SX[:, MUTED_TOLD] == 0))
        counts_NX[runs.held_S[mute] + runs.count_S[mute], MUTED_TOLD] = 1
        told = _lines(runs, events, place_I, kind_I, counts_NX, numbers_NX, runs.muted_S[mute])
        last = (runs.held_S + runs.count_S)[runs.last_S]
        return told, StoryStep(runs.slot_S[runs.last_S], counts_NX[last], numbers_NX[last])

    def write(self, step: StoryStep) -> None:
        """Move on to what `read` returned."""
        self.columns["counts"][step.slots] = step.counts_KX
        self.columns["numbers"][step.slots] = step.numbers_KX

    def state_dict(self) -> dict[str, Any]:
        """What every key's last incident was so far."""
        return self.columns.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; of an incident with nothing held the story begins."""
        self.columns.load_state_dict(state)


def _begin(runs: IncidentRuns, events: Events, held_SX: IntArray, numbers_SX: FloatArray) -> None:
    """Begin, in place, incidents of which nothing is held: at the time of their first row."""
    fresh = np.flatnonzero((held_SX[:, HELD.index("rows")] == 0) & (runs.count_S > 0))
    first = runs.row_R[(runs.held_S - np.arange(len(runs)))[fresh]]
    numbers_SX[fresh] = events.event_time_B[first][:, None]
    numbers_SX[fresh, NUMBERS.index("peak_p_value")] = 1.0


def _counts(runs: IncidentRuns, events: Events, held_SX: IntArray) -> IntArray:
    """`[N, 5]` the counts of `HELD` at each place; those of what was told as they were."""
    counts_NX: IntArray = held_SX[runs.run_N]
    since_N = np.arange(len(runs.run_N)) - runs.held_S[runs.run_N]
    counts_NX[:, HELD.index("rows")] += since_N
    odd_N = np.zeros(len(runs.run_N), np.int64)
    odd_N[runs.place_R] = events.anomaly_B[runs.row_R]
    so_far_N = np.cumsum(odd_N)
    counts_NX[:, HELD.index("anomalies")] += so_far_N - so_far_N[runs.held_S][runs.run_N]
    severity_N = counts_NX[:, HELD.index("severity")]
    severity_N[runs.place_R] = odd_N[runs.place_R] * events.severity_B[runs.row_R]
    # One rising line of all runs: the largest so far of each.
    step = 1 + int(severity_N.max(initial=0))
    base_N = runs.run_N * step
    severity_N[:] = np.maximum.accumulate(base_N + severity_N) - base_N
    return counts_NX


def _numbers(runs: IncidentRuns, events: Events, held_SX: FloatArray) -> FloatArray:
    """`[N, 4]` the numbers of `NUMBERS` at each place."""
    numbers_NX: FloatArray = held_SX[runs.run_N]
    num, odd_R = len(runs.run_N), events.anomaly_B[runs.row_R]
    place_N, time_R = np.arange(num), events.event_time_B[runs.row_R]
    is_news_N = np.zeros(num, np.bool_)
    is_news_N[runs.held_S], is_news_N[runs.place_R] = True, odd_R
    latest_N = np.maximum.accumulate(np.where(is_news_N, place_N, 0))
    last_S, peak_S = held_SX[:, NUMBERS.index("last_time")], held_SX[:, NUMBERS.index("peak_time")]
    numbers_NX[:, NUMBERS.index("last_time")] = runs.with_held(last_S, time_R)[latest_N]
    p_S, p_R = held_SX[:, NUMBERS.index("peak_p_value")], events.p_B[runs.row_R]
    p_N = runs.with_held(p_S, np.where(odd_R, p_R, np.inf))
    order_N = np.argsort(p_N, kind="stable")
    rarity_N = np.empty(num, np.int64)
    rarity_N[order_N] = place_N[::-1]
    # The rarest so far of each run, of equals the first: again one rising line of all runs.
    base_N = runs.run_N * num
    rarest_N = order_N[num - 1 - (np.maximum.accumulate(base_N + rarity_N) - base_N)]
    numbers_NX[:, NUMBERS.index("peak_p_value")] = p_N[rarest_N]
    numbers_NX[:, NUMBERS.index("peak_time")] = runs.with_held(peak_S, time_R)[rarest_N]
    return numbers_NX


def _told(runs: IncidentRuns, events: Events, counts_NX: IntArray) -> tuple[IntArray, IntArray]:
    """`[I]` places at which incidents are told, and the kinds; notes in the counts what was."""
    state_R, rows_R = events.state_B[runs.row_R], counts_NX[runs.place_R, HELD.index("rows")]
    ends_R = (state_R == END) | (state_R == ACCEPTED)
    doubled_R = (rows_R >= VECTOR_ROWS) & (rows_R & (rows_R - 1) == 0)
    told: dict[int, int] = {}  # anomalies, by run
    found: list[tuple[int, int]] = []
    for at in np.flatnonzero((state_R == START) | ends_R | doubled_R).tolist():
        place, run = int(runs.place_R[at]), int(runs.run_R[at])
        anomalies = int(counts_NX[place, HELD.index("anomalies")])
        before = told.get(run, int(counts_NX[place, TOLD]))
        if ends_R[at]:
            kind = END_KIND
        elif state_R[at] == START:
            kind = START_KIND
        elif rows_R[at] == VECTOR_ROWS or anomalies > before:
            kind = UPDATE_KIND
        else:
            continue
        found.append((place, kind))
        told[run] = anomalies
    last = [int(runs.held_S[run] + runs.count_S[run]) for run in told]
    counts_NX[last, TOLD] = [*told.values()]
    place_I, kind_I = np.array(found, np.int64).reshape(-1, 2).T
    return place_I, kind_I


def _lines(
    runs: IncidentRuns,
    events: Events,
    place_I: IntArray,
    kind_I: IntArray,
    counts_NX: IntArray,
    numbers_NX: FloatArray,
    muted: IntArray,
) -> Told:
    """What is told in the order of the rows; a muted event would have opened an incident."""
    row_I = runs.row_R[place_I - runs.run_N[place_I] - 1]
    row_I = np.concatenate([row_I, muted])
    time_M, p_M = events.event_time_B[muted], events.p_B[muted]
    counts_IX = np.concatenate([counts_NX[place_I, :3], np.tile([1, 0, 0], (len(muted), 1))])
    numbers_IX = np.concatenate(
        [numbers_NX[place_I], np.stack([time_M, time_M, p_M, time_M], axis=1)]
    )
    kind_I = np.concatenate([kind_I, np.full(len(muted), END_KIND)])
    order = np.argsort(row_I, kind="stable")
    return Told(row_I[order], kind_I[order], counts_IX[order], numbers_IX[order])
