"""What is told of incidents, and when: by rules read row by row, however the rows are cut."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.incident_runs import IncidentRuns
from streamssl.alerts.incident_story import (
    END_KIND,
    START_KIND,
    UPDATE_KIND,
    VECTOR_ROWS,
    Events,
    IncidentStories,
)
from streamssl.alerts.incident_sums import Blame, IncidentSums, shares_of, vectors_of
from streamssl.alerts.incidents import (
    ACCEPTED,
    END,
    MUTED,
    NONE,
    NUMBERS,
    ONGOING,
    START,
    Incidents,
)
from streamssl.arithmetic.acceptance import Acceptance
from streamssl.data.events import IntArray
from streamssl.data.keys import Runs

PARTS, SIZE, NUM_KEYS = 3, 4, 3
# Kind, counts, numbers, shares and vector of a row that is told.
Line = tuple[int, list[int], list[float], list[float], list[float] | None]


@dataclass
class Batch:
    """Rows of some keys, with what alerts made of them."""

    slot_B: IntArray
    events: Events
    shares_BP: Any
    embedding_BD: Any

    def take(self, rows: slice) -> Batch:
        columns: list[Any] = [column[rows] for column in self.events]
        events = Events(*columns)
        return Batch(
            self.slot_B[rows], events, self.shares_BP[rows], self.embedding_BD[rows].copy()
        )


def made(slot: list[int], state: list[int], anomaly: list[bool], seed: int = 0) -> Batch:
    """Rows with such states, and with p-values, times, shares and embeddings at random."""
    rng, num = np.random.default_rng(seed), len(slot)
    anomaly_B = np.array(anomaly, np.bool_)
    severity_B = np.where(anomaly_B, rng.integers(1, 5, num), 0)
    events = Events(
        np.array(state), anomaly_B, severity_B, rng.uniform(1e-6, 1e-3, num), rng.normal(size=num)
    )
    shares_BP = rng.dirichlet(np.ones(PARTS), num)
    return Batch(np.array(slot), events, shares_BP, rng.normal(size=(num, SIZE)).astype("f4"))


def walked(seed: int, num_rows: int) -> Batch:
    """Rows whose states the alert layer itself made."""
    rng = np.random.default_rng(seed)
    slot_B = rng.integers(0, NUM_KEYS, num_rows)
    p_B = np.where(rng.random(num_rows) < rng.choice([0.05, 0.3, 0.7]), 1e-12, 1.0)
    incidents = Incidents(incident_gap=3, acceptance=Acceptance(24, 0.0, 24))
    incidents.columns.ensure(NUM_KEYS)
    # Keys that have spent most of their budget fall mute.
    incidents.columns["numbers"][:, NUMBERS.index("spent")] = [0.0, 24.0, 29.5]
    position_B2 = np.stack([np.arange(num_rows), np.zeros(num_rows, np.int64)], axis=1)
    step = incidents.read(slot_B, Runs(slot_B).rank, p_B, position_B2, 0.01)
    return made(slot_B.tolist(), step.state_B.tolist(), step.anomaly_B.tolist(), seed)


def told(batch: Batch, cuts: list[int], spaces: tuple[str, ...] = ("s",)) -> dict[int, Line]:
    """What is told of a batch that is read and written in pieces, by row."""
    stories, sums = IncidentStories(), IncidentSums(num_parts=PARTS, columns=slice(0, SIZE))
    for layer in (stories, sums):
        layer.columns.ensure(NUM_KEYS)
    found: dict[int, Line] = {}
    done = turn = 0
    while done < len(batch.slot_B):
        piece = batch.take(slice(done, done + cuts[turn % len(cuts)]))
        runs = IncidentRuns(piece.slot_B, piece.events.state_B)
        lines, story_step = stories.read(runs, piece.events)
        odd = np.flatnonzero(piece.events.anomaly_B)
        blame, space = Blame(odd, piece.shares_BP[odd]), spaces[turn % len(spaces)]
        up_to, sum_step = sums.read(runs, lines.row_I, blame, piece.embedding_BD, space)
        stories.write(story_step)
        sums.write(sum_step)
        columns = (lines.kind_I, lines.counts_IX, lines.numbers_IX, shares_of(up_to))
        vectors = [None if np.isnan(v).any() else v.tolist() for v in vectors_of(up_to)]
        rows = zip(*(column.tolist() for column in columns), vectors, strict=True)
        found |= {done + int(row): line for row, line in zip(lines.row_I, rows, strict=True)}
        done, turn = done + len(piece.slot_B), turn + 1
    return found


@dataclass
class Rules:
    """One key, row by row."""

    rows: list[int] = field(default_factory=list)
    told_at: int = 0
    muted: bool = False

    def step(self, batch: Batch, row: int) -> Line | None:
        """What is told at the row."""
        state, anomaly = int(batch.events.state_B[row]), batch.events.anomaly_B
        if state == NONE or (state == MUTED and self.muted):
            return None
        if state == MUTED:
            self.muted = True
            return self.line(batch, [row], END_KIND)
        if state == START:
            self.rows, self.told_at, self.muted = [], 0, False
        self.rows.append(row)
        num, num_odd = len(self.rows), int(anomaly[self.rows].sum())
        if state in (END, ACCEPTED):
            return self.line(batch, self.rows, END_KIND)
        if num == 1:
            kind = START_KIND
        elif num == 8 or (num in (16, 32, 64, 128) and num_odd > self.told_at):
            kind = UPDATE_KIND
        else:
            return None
        self.told_at = num_odd
        return self.line(batch, self.rows, kind)

    def line(self, batch: Batch, rows: list[int], kind: int) -> Line:
        events, first = batch.events, rows[0]
        odd = [row for row in rows if events.anomaly_B[row]]
        last, peak = (odd or [first])[-1], min(odd or [first], key=lambda r: events.p_B[r])
        severities = events.severity_B[odd].tolist()
        times = (events.event_time_B[row] for row in (first, last, peak))
        start_s, last_s, peak_s = times
        shares = batch.shares_BP[odd].mean(0).tolist() if odd else [0.0] * PARTS
        mean = batch.embedding_BD[rows].astype(np.float64).mean(0)
        numbers = [float(x) for x in (start_s, last_s, events.p_B[peak], peak_s)]
        counts = [len(rows), len(odd), max(severities, default=0)]
        return kind, counts, numbers, shares, mean.tolist() if len(rows) >= 8 else None


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_what_is_told_is_what_rows_one_by_one_tell(seed: int, cuts: list[int]) -> None:
    """Length, peak, shares and the mean of all rows; the cut changes no bit."""
    batch = walked(seed, 400)
    rules, found = [Rules() for _ in range(NUM_KEYS)], told(batch, cuts)
    wanted = {row: rules[slot].step(batch, row) for row, slot in enumerate(batch.slot_B.tolist())}
    wanted = {row: line for row, line in wanted.items() if line is not None}
    assert found == told(batch, [400])
    assert found.keys() == wanted.keys()
    for row, (kind, counts, numbers, shares, vector) in found.items():
        line = wanted[row]
        assert line is not None
        assert (kind, counts, numbers) == line[:3]
        np.testing.assert_allclose(shares, line[3], atol=1e-6)
        assert (vector is None) == (line[4] is None)
        np.testing.assert_allclose(vector or 0.0, line[4] or 0.0, atol=1e-5)


def test_a_lasting_incident_is_told_ever_more_seldom() -> None:
    """At its first row, its 8th, 16th, 32nd, ... and at the row that is accepted."""
    num = 200
    state = [START, *[ONGOING] * (num - 2), ACCEPTED]
    found = told(made([0] * num, state, [True] * (num - 1) + [False]), [7])
    assert [row + 1 for row in found] == [1, 8, 16, 32, 64, 128, 200]
    assert [line[0] for line in found.values()] == [START_KIND, *[UPDATE_KIND] * 5, END_KIND]
    assert found[199][1][:2] == [200, 199]


def test_quiet_rows_are_no_news() -> None:
    """One odd reading is a start, a record from which its vector is known, and an end."""
    num = 33
    state, anomaly = [START, *[ONGOING] * (num - 2), END], [True] + [False] * (num - 1)
    found = told(made([0] * num, state, anomaly), [5])
    assert [row + 1 for row in found] == [1, VECTOR_ROWS, num]


def test_the_first_muted_event_is_told_and_no_other_until_one_opens() -> None:
    """It is an end by itself: without it a key that spent its budget would fall silent."""
    state = [MUTED, NONE, MUTED, START, END, MUTED, MUTED]
    found = told(made([0] * 7, state, [s == START for s in state]), [2])
    assert {row: line[0] for row, line in found.items()} == {
        0: END_KIND,
        3: START_KIND,
        4: END_KIND,
        5: END_KIND,
    }
    assert found[5][1:2] == ([1, 0, 0],)
    assert found[5][3:] == ([0.0] * PARTS, None)


def test_a_vector_is_of_one_space() -> None:
    """Where vectors change their meaning the sum begins anew; length and shares go on."""
    num = 24
    batch = made([0] * num, [START, *[ONGOING] * (num - 2), END], [True] * num)
    found, plain = told(batch, [16, 8], spaces=("a", "b")), told(batch, [num])
    assert found[7] == plain[7]
    assert found[23][:4] == plain[23][:4]
    newest = batch.embedding_BD[16:].mean(0)
    np.testing.assert_allclose(found[23][4] or [], newest, atol=1e-5)
    assert told(batch, [17, 7], spaces=("a", "b"))[23][4] is None


def test_what_is_held_goes_on_after_a_restart() -> None:
    """The state of stories and sums is theirs again, in the middle of an incident."""
    num = 20
    batch = made([1] * num, [START, *[ONGOING] * (num - 2), END], [True] * num)
    first, rest = batch.take(slice(0, 12)), batch.take(slice(12, num))
    layers: tuple[Any, ...] = (
        IncidentStories(),
        IncidentSums(num_parts=PARTS, columns=slice(0, SIZE)),
    )
    again: tuple[Any, ...] = (
        IncidentStories(),
        IncidentSums(num_parts=PARTS, columns=slice(0, SIZE)),
    )
    for piece in (first, rest):
        stories, sums = layers
        for layer in layers:
            layer.columns.ensure(NUM_KEYS)
        runs = IncidentRuns(piece.slot_B, piece.events.state_B)
        lines, story_step = stories.read(runs, piece.events)
        blame = Blame(np.arange(len(piece.slot_B)), piece.shares_BP)
        up_to, sum_step = sums.read(runs, lines.row_I, blame, piece.embedding_BD, "s")
        stories.write(story_step)
        sums.write(sum_step)
        for old, new in zip(layers, again, strict=True):
            new.load_state_dict(old.state_dict())
        layers = again
    whole = told(batch, [num])[num - 1]
    assert (lines.counts_IX[-1].tolist(), lines.numbers_IX[-1].tolist()) == whole[1:3]
    assert shares_of(up_to)[-1].tolist() == whole[3]
    assert vectors_of(up_to)[-1].tolist() == whole[4]
