"""The part an incident is about: what most of its first anomalies name."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.alerts.incident_fields import NOBODY, NUM_FIRST, IncidentFields
from streamssl.alerts.incidents import END, MUTED, NONE, ONGOING, START
from streamssl.data.events import IntArray

# (state, anomaly, part that stands out) of one key's rows
Row = tuple[int, bool, int]


def feed(rows: list[Row], cuts: tuple[int, ...] = (100,), slot: int = 0) -> list[int]:
    """The parts that are said of rows, read and written in pieces."""
    fields = IncidentFields()
    fields.columns.ensure(slot + 1)
    return go_on(fields, rows, cuts, slot)


def go_on(
    fields: IncidentFields, rows: list[Row], cuts: tuple[int, ...] = (100,), slot: int = 0
) -> list[int]:
    found: list[int] = []
    while len(found) < len(rows):
        part = rows[len(found) : len(found) + cuts[len(found) % len(cuts)]]
        state_B, anomaly_B, part_B = (np.array(column) for column in zip(*part, strict=True))
        slot_B: IntArray = np.full(len(part), slot)
        said_B, step = fields.read(slot_B, state_B, anomaly_B, part_B)
        fields.write(step)
        found += said_B.tolist()
    return found


INCIDENT: list[Row] = [
    (NONE, False, 0),
    (START, True, 2),
    (ONGOING, False, 0),
    (ONGOING, True, 1),
    (ONGOING, True, 1),
    (END, False, 0),
    (NONE, False, 1),
    (MUTED, False, 1),
]


@pytest.mark.parametrize("cuts", [(100,), (1,), (3, 2)])
def test_the_most_named_part_of_the_anomalies_so_far(cuts: tuple[int, ...]) -> None:
    """Of equals the first; rows between count nothing, and outside there is none."""
    assert feed(INCIDENT, cuts) == [NOBODY, 2, 2, 2, 1, 1, NOBODY, NOBODY]


def test_only_the_first_anomalies_count() -> None:
    """What fails later in consequence does not take over."""
    rows = [(START, True, 3), *[(ONGOING, True, 3)] * (NUM_FIRST - 1), *[(ONGOING, True, 0)] * 50]
    assert feed(rows) == [3] * len(rows)


def test_the_next_incident_begins_anew() -> None:
    """It is about what its own anomalies name."""
    rows = [(START, True, 0), (ONGOING, True, 0), (END, False, 0), (START, True, 2)]
    assert feed(rows) == [0, 0, 0, 2]


def test_the_state_carries_everything() -> None:
    """One that takes over the state goes on with the open incident."""
    fields, other = IncidentFields(), IncidentFields()
    fields.columns.ensure(1)
    go_on(fields, INCIDENT[:4])
    other.load_state_dict(fields.state_dict())
    assert go_on(other, INCIDENT[4:]) == go_on(fields, INCIDENT[4:])
