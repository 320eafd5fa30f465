"""How far each key's incident has come, and at which of its rows that is told.

It is told at the first row (`start`); at the 8th, from which on its vector is known, and at the
16th, 32nd, 64th, ... where anomalies have come since it was told last (`update`); and where it
ends or is accepted (`end`). Of the events of a muted key the first is told, as an end of its own.

B = events, I = told rows, K = keys, R = rows of one incident.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from streamssl.alerts.incident_runs import IncidentRun
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


class _Grown(NamedTuple):
    """An incident at each of its rows: in the order of `HELD` and of `NUMBERS`."""

    counts_RX: IntArray
    numbers_RX: FloatArray


class IncidentStories:
    """Length, anomalies and peak of every key's incident."""

    def __init__(self) -> None:
        self.columns = KeyColumns(
            counts=((len(HELD),), np.int64, 0), numbers=((len(NUMBERS),), np.float64, 0.0)
        )

    def read(self, runs: Sequence[IncidentRun], events: Events) -> tuple[Told, StoryStep]:
        """Where the incidents of a batch are told, and what they are then; changes nothing."""
        lines: list[tuple[int, int, list[int], list[float]]] = []
        held: dict[int, tuple[list[int], list[float]]] = {}
        for run in runs:
            held[run.slot] = self._tell(run, events, held.get(run.slot), lines)
        lines.sort(key=lambda line: line[0])
        told = Told(
            np.array([row for row, *_ in lines], np.int64),
            np.array([kind for _, kind, *_ in lines], np.int64),
            np.array([counts for *_, counts, _ in lines], np.int64).reshape(-1, 3),
            np.array([numbers for *_, numbers in lines], np.float64).reshape(-1, len(NUMBERS)),
        )
        counts = np.array([counts for counts, _ in held.values()], np.int64)
        numbers = np.array([numbers for _, numbers in held.values()], np.float64)
        step = StoryStep(
            np.array([*held], np.int64),
            counts.reshape(-1, len(HELD)),
            numbers.reshape(-1, len(NUMBERS)),
        )
        return told, step

    def _tell(
        self,
        run: IncidentRun,
        events: Events,
        before: tuple[list[int], list[float]] | None,
        lines: list[tuple[int, int, list[int], list[float]]],
    ) -> tuple[list[int], list[float]]:
        """Add what is told of one run to `lines`; returns what is held after it."""
        counts, numbers = before or self._held(run.slot)
        if run.begins:
            counts = [0] * len(HELD)
        if len(run.rows):
            grown = _grow(counts, numbers, run.rows, events)
            last_told = counts[HELD.index("told")]
            for place, kind in _places(grown, last_told, events.state_B[run.rows]):
                line = grown.counts_RX[place].tolist(), grown.numbers_RX[place].tolist()
                lines.append((int(run.rows[place]), kind, line[0][:3], line[1]))
                last_told = line[0][HELD.index("anomalies")]
            counts, numbers = grown.counts_RX[-1].tolist(), grown.numbers_RX[-1].tolist()
            counts[HELD.index("told")] = last_told
        if len(run.muted) and not counts[HELD.index("muted")]:
            counts[HELD.index("muted")] = 1
            lines.append(_muted(int(run.muted[0]), events))
        return counts, numbers

    def _held(self, slot: int) -> tuple[list[int], list[float]]:
        return self.columns["counts"][slot].tolist(), self.columns["numbers"][slot].tolist()

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


def _grow(counts: list[int], numbers: list[float], rows: IntArray, events: Events) -> _Grown:
    """The incident at each row, from what was held before them."""
    num_rows, num_anomalies, severity, told, muted = counts
    time_R, anomaly_R = events.event_time_B[rows], events.anomaly_B[rows]
    if not num_rows:
        numbers = [time_R[0], time_R[0], 1.0, time_R[0]]
    start, last, peak, peak_time = numbers
    row_R = np.arange(1, len(rows) + 1)
    p_R = np.where(anomaly_R, events.p_B[rows], np.inf)
    peak_R = np.minimum.accumulate(np.r_[peak, p_R])
    severity_R = np.where(anomaly_R, events.severity_B[rows], 0)
    counts_RX = np.stack(
        [
            num_rows + row_R,
            num_anomalies + np.cumsum(anomaly_R),
            np.maximum.accumulate(np.r_[severity, severity_R])[1:],
            np.full(len(rows), told),
            np.full(len(rows), muted),
        ],
        axis=1,
    )
    numbers_RX = np.stack(
        [
            np.full(len(rows), start),
            _latest(time_R, anomaly_R, last),
            peak_R[1:],
            _latest(time_R, peak_R[1:] < peak_R[:-1], peak_time),
        ],
        axis=1,
    )
    return _Grown(counts_RX, numbers_RX)


def _latest(time_R: FloatArray, is_R: BoolArray, before: float) -> FloatArray:
    """`[R]` time of the latest row so far for which `is_R` holds."""
    place_R = np.maximum.accumulate(np.where(is_R, np.arange(1, len(is_R) + 1), 0))
    latest_R: FloatArray = np.r_[before, time_R][place_R]
    return latest_R


def _places(grown: _Grown, told: int, state_R: IntArray) -> list[tuple[int, int]]:
    """Places among an incident's rows at which it is told, and the kind of each record."""
    rows_R = grown.counts_RX[:, HELD.index("rows")]
    ends_R = (state_R == END) | (state_R == ACCEPTED)
    doubled_R = (rows_R >= VECTOR_ROWS) & (rows_R & (rows_R - 1) == 0)
    found: list[tuple[int, int]] = []
    for place in np.flatnonzero((state_R == START) | ends_R | doubled_R).tolist():
        anomalies = int(grown.counts_RX[place, HELD.index("anomalies")])
        if ends_R[place]:
            found.append((place, END_KIND))
        elif state_R[place] == START:
            found.append((place, START_KIND))
        elif rows_R[place] == VECTOR_ROWS or anomalies > told:
            found.append((place, UPDATE_KIND))
        else:
            continue
        told = anomalies
    return found


def _muted(row: int, events: Events) -> tuple[int, int, list[int], list[float]]:
    """The line of a muted event: it would have opened an incident."""
    time, p = float(events.event_time_B[row]), float(events.p_B[row])
    return row, END_KIND, [1, 0, 0], [time, time, p, time]
