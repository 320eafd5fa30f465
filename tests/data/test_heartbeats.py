"""Fields of events that only say that a producer is there are no channels."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import pytest

from streamssl.data.channels import REASONS, Cell, Choice, SampledEvent, choose

Row = Mapping[str, Cell]


def gauss(i: int) -> float:
    """A measurement."""
    return round(random.Random(i).gauss(20, 3), 2)


def chosen(rows: Sequence[Row], num_partitions: int = 1) -> Choice:
    """What is chosen of events of several machines, one partition after the other."""
    events = [SampledEvent(i % num_partitions, f"m{i % 6}", 0.0, row) for i, row in enumerate(rows)]
    return choose(sorted(events, key=lambda event: event.partition))


def among(lone: Mapping[int, Row], num_events: int = 32) -> list[Row]:
    """Measurements, with other events in some places."""
    return [lone.get(i, {"a": gauss(i), "b": gauss(i + 99)}) for i in range(num_events)]


def left_out(choice: Choice) -> dict[str, str]:
    """Field -> why it was left out, where the measurements of most events are channels."""
    assert choice.schema is not None
    assert {"a", "b"}.issubset(choice.schema.fields)
    told = {left.name: left.reason for left in choice.left_out}
    assert not set(told).intersection(choice.schema.fields)
    return told


@pytest.mark.parametrize("num_partitions", [1, 2, 3])
@pytest.mark.parametrize("num_events", [32, 200])
def test_a_beat_every_ten_events_is_none(num_partitions: int, num_events: int) -> None:
    """Of any number of events: those of a start and those of `validate --online` alike."""
    lone: dict[int, Row] = {i: {"hb": 1.0, "uptime": i + 0.0} for i in range(0, num_events, 10)}
    told = left_out(chosen(among(lone, num_events), num_partitions))
    assert set(told) == {"hb", "uptime"}
    assert set(told.values()) <= {"heartbeat", "counter"}
    assert "heartbeats?" in REASONS["heartbeat"]


@pytest.mark.parametrize("num_partitions", [1, 2])
def test_beats_at_each_start_are_none(num_partitions: int) -> None:
    """Three of each of two producers; with a number that goes on, whatever it is called."""
    starts = (0, 1, 2, 15, 16, 17)
    told = left_out(chosen(among({i: {"heartbeat": 1.0} for i in starts}), num_partitions))
    assert told == {"heartbeat": "heartbeat"}
    beats: dict[int, Row] = {i: {"beat": 1.0, "alive_s": 5.0 * i} for i in range(0, 32, 4)}
    told = left_out(chosen(among(beats), num_partitions))
    assert told.keys() == {"beat", "alive_s"}


def test_beats_at_any_time_are_none() -> None:
    """Five or more with whole numbers that only rise are told from measurements by their order."""
    lone: dict[int, Row] = {i: {"hb": 1.0, "alive": i + 0.0} for i in (1, 2, 9, 15, 16, 29)}
    assert left_out(chosen(among(lone))).keys() == {"hb", "alive"}


def test_a_rarer_kind_of_machine_keeps_its_channels() -> None:
    """Its values vary; what is constant beside them is a channel as well."""
    for seed in range(50):
        lone: dict[int, Row] = {
            i: {"p": round(random.Random(100 * seed + i).gauss(3, 1), 1), "valve": 0.0}
            for i in (3, 9, 14, 20, 27)
        }
        choice = chosen(among(lone))
        assert choice.schema is not None
        assert choice.schema.fields == ("a", "b", "p", "valve")


def test_a_constant_beside_the_other_fields_is_a_channel() -> None:
    """Only events without what most events have are heartbeats."""
    rows = among({i: {"a": gauss(i), "b": gauss(i + 99), "on": 1.0} for i in range(0, 32, 6)})
    assert left_out(chosen(rows)) == {}


def test_kinds_of_machines_of_equal_share_are_all_measured() -> None:
    """Where no field is of most events, none is of heartbeats."""
    kinds: list[Row] = [{"a": 1.0, "b": 2.0}, {"c": 3.0}, {"d": 4.0}]
    choice = chosen([kinds[i % 3] for i in range(33)])
    assert choice.schema is not None
    assert choice.schema.fields == ("a", "b", "c", "d")


def test_events_with_a_text_are_no_heartbeats() -> None:
    """A number beside a text column is one of a log line, however rare."""
    lone: dict[int, Row] = {i: {"line": "x", "level": 1.0} for i in range(0, 32, 6)}
    events = [SampledEvent(0, "", 0.0, row) for row in among(lone)]
    choice = choose(events, texts=["line"])
    assert choice.schema is not None
    assert choice.schema.fields == ("level", "a", "b")
