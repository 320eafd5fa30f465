"""Incidents: the vectorised grouping equals the definition read row by row."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.incidents import END, NONE, ONGOING, START, Incidents

GAP = 3


def by_definition(anomalies: list[bool]) -> list[tuple[int, int]]:
    """(state, age of the incident's first event or -1) of one key's rows."""
    out, first, last = [], -1, -1
    for age, anomaly in enumerate(anomalies):
        if anomaly and (last < 0 or age - last > GAP):
            first, last, state = age, age, START
        elif anomaly:
            last, state = age, ONGOING
        elif last >= 0 and age - last <= GAP:
            state = END if age - last == GAP else ONGOING
        else:
            state = NONE
        out.append((state, first if state != NONE else -1))
    return out


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60),
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=4),
)
def test_equals_the_definition(rows: list[tuple[int, bool]], cuts: list[int]) -> None:
    """Any number of keys, any cut into batches: the same incidents as row by row."""
    incidents = Incidents(incident_gap=GAP)
    incidents.columns.ensure(3)
    slot = np.array([s for s, _ in rows], np.int64)
    anomaly = np.array([a for _, a in rows], bool)
    age = np.array([int((slot[:i] == s).sum()) for i, s in enumerate(slot)], np.int64)
    state, offset = np.empty((2, len(rows)), np.int64)
    begin, turn = 0, 0
    while begin < len(rows):
        part = slice(begin, begin + cuts[turn % len(cuts)])
        position = np.stack([age[part], np.zeros_like(age[part])], axis=1)
        step = incidents.read(slot[part], age[part], anomaly[part], position)
        incidents.write(step)
        state[part], offset[part] = step.state_B, step.offset_B
        begin, turn = part.stop, turn + 1
    for s in range(3):
        expected = by_definition(anomaly[slot == s].tolist())
        assert list(zip(state[slot == s].tolist(), offset[slot == s].tolist(), strict=True)) == (
            expected
        )
