"""Incidents in the log: each change of state once, its peak, and a bounded number of lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.data.events import EventBatch
from streamssl.data.results import INCIDENT_STATES, Results
from streamssl.engine import incident_log
from streamssl.engine.incident_log import MAX_A_MINUTE, MAX_OPEN, IncidentLog
from tests.log_lines import log_lines, named
from tests.made_results import made_results

STATES = (*INCIDENT_STATES, "accepted", "muted")


def seen(rows: Sequence[tuple[str | None, str, float]], first: int = 0) -> Results:
    """Results of a key's events from offset `first` on: incident, state, score (0: ordinary)."""
    num = len(rows)
    batch = EventBatch(
        "t",
        np.zeros(num, np.int64),
        np.arange(first, first + num),
        np.zeros(num, np.int64),
        pa.array(["k"] * num),
        np.arange(first, first + num, dtype=np.float64),
        ("rpm", "pressure"),
        np.zeros((num, 2), np.float32),
    )
    changes: dict[str, Any] = {
        "incident_id": [row[0] for row in rows],
        "incident_state": np.array([STATES.index(row[1]) for row in rows]),
        "score": np.array([row[2] for row in rows]),
        "anomaly": np.array([row[2] > 0 for row in rows]),
        "severity": np.array([int(row[2] > 0) + int(row[2] > 0.99) for row in rows]),
        "top_field": np.array([1] + [0] * (num - 1)),
    }
    return made_results(batch, **changes)


@pytest.fixture(autouse=True)
def _states(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incident_log, "INCIDENT_STATES", STATES)


def test_start_and_end_are_told_with_key_field_and_peak() -> None:
    """The field is that of the first anomaly; the end says how high it came and how long it was."""
    log = IncidentLog(lambda: 0.0)
    with log_lines() as lines:
        log.observe(seen([("i", "start", 0.98), ("i", "ongoing", 0.0), ("i", "ongoing", 0.999)]))
        log.observe(seen([("i", "ongoing", 0.99), ("i", "end", 0.0), (None, "none", 0.0)], first=3))
    start, end = named(lines, "incident")
    told = [(x["incident_state"], x["key"], x["top_field"], x["incident_id"]) for x in (start, end)]
    assert told == [("start", "k", "pressure", "i"), ("end", "k", "pressure", "i")]
    assert (start["severity"], start["score"], start["anomalies"]) == ("low", 0.98, 1)
    assert (end["severity"], end["score"], end["anomalies"]) == ("medium", 0.999, 3)
    assert (end["event_time"], end["seconds"]) == (4.0, 4.0)


def test_any_state_is_told_once() -> None:
    """A state that is entered is one line, however many events stay in it."""
    log = IncidentLog(lambda: 0.0)
    rows = [("i", "start", 0.98), ("i", "muted", 0.0), ("i", "muted", 0.97), ("i", "accepted", 0.0)]
    with log_lines() as lines:
        log.observe(seen(rows))
    states = [line["incident_state"] for line in named(lines, "incident")]
    assert states == ["start", "muted", "accepted"]


def test_the_end_of_what_began_before_the_start_has_no_beginning() -> None:
    """After a restart only what this process saw is said."""
    log = IncidentLog(lambda: 0.0)
    with log_lines() as lines:
        log.observe(seen([("i", "ongoing", 0.98), ("i", "end", 0.0)]))
    (end,) = named(lines, "incident")
    assert (end["incident_state"], end["anomalies"], end["seconds"]) == ("end", 1, None)


def test_no_more_than_so_many_a_minute_and_the_rest_is_counted() -> None:
    """A storm of incidents is thirty lines and one that counts; the next minute begins anew."""
    now = [0.0]
    log = IncidentLog(lambda: now[0])
    with log_lines() as lines:
        for i in range(MAX_A_MINUTE + 12):
            log.observe(seen([(f"i{i}", "start", 0.98)]))
            log.turned()
        now[0] = 60.0
        log.turned()
        log.observe(seen([("last", "start", 0.98)]))
    assert len(named(lines, "incident")) == MAX_A_MINUTE + 1
    assert [line["num"] for line in named(lines, "lines_held_back")] == [12]
    assert lines[-1]["incident_id"] == "last"


def test_memory_is_bounded() -> None:
    """Incidents that never end do not fill the memory."""
    log = IncidentLog(lambda: 0.0)
    with log_lines():
        for i in range(MAX_OPEN + 100):
            log.observe(seen([(f"i{i}", "start", 0.98)]))
    assert len(log._open) == MAX_OPEN
