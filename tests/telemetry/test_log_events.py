"""Every line that the package logs is one of the table, with the fields that the table names."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamssl
from streamssl.telemetry.log_events import EVENTS, PACED, LogEvent
from streamssl.telemetry.pace import Pace

PACKAGE = Path(streamssl.__file__).parent
# Below telemetry, which it therefore cannot tell by.
BARE = {"config/settings.py"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the package, with its place."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree, place = ast.parse(path.read_text(encoding="utf-8")), str(path.relative_to(PACKAGE))
        yield from ((place, node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_every_line_is_told_as_an_event() -> None:
    """`tell(log, event, ...)` is the only way to log, so that the table is complete."""
    bare = {
        place
        for place, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"log", "_log", "logger", "logging"}
    }
    others = bare - {"telemetry/log_events/__init__.py"} - BARE
    assert not others, f"give these lines an event in streamssl/telemetry/log_events: {others}"


def test_what_is_told_is_what_the_table_says() -> None:
    """Each call names an event of the table, and gives its fields, no more and no fewer."""
    told = set()
    for place, call in calls():
        if not (isinstance(call.func, ast.Name) and call.func.id == "tell"):
            continue
        name = call.args[1]
        assert isinstance(name, ast.Constant), place
        event = EVENTS[str(name.value)]
        told.add(event.name)
        given = {keyword.arg for keyword in call.keywords} - {"with_traceback"}
        if None not in given:
            assert given == set(event.fields), (place, event.name)
    assert told == set(EVENTS) - {"setting_renamed"}  # no event that nobody tells


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_is_whole(event: LogEvent) -> None:
    """Its message uses its own fields, and it says when it comes."""
    used = {name for _, name, _, _ in string.Formatter().parse(event.text) if name}
    assert event.name == "setting_renamed" or used <= set(event.fields)
    assert event.when.endswith((".", ")"))
    assert event.level in {"DEBUG", "INFO", "WARNING", "ERROR"}


def test_what_is_not_held_back_exists() -> None:
    """Only events of the table bound their number themselves."""
    assert set(EVENTS) >= PACED


def test_a_pace_counts_what_it_holds_back() -> None:
    """So many a minute; what was too much is counted once the minute is over."""
    now = [0.0]
    pace = Pace(2, clock=lambda: now[0])
    assert [pace.admits() for _ in range(5)] == [True, True, False, False, False]
    assert pace.take_held_back() == 0
    now[0] = 60.0
    assert pace.take_held_back() == 3
    assert pace.take_held_back() == 0
    assert pace.admits()
