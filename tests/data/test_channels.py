"""Which fields are channels: the first events decide, and what is left out is told with a hint."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from streamssl.data.channels import MAX_FIELDS, REASONS, Cell, Choice, Kind, SampledEvent, choose
from streamssl.data.events import Schema

NOW_S = 1_772_000_000.0


def sampled(rows: Iterable[Mapping[str, Cell]], time_s: float = float("nan")) -> list[SampledEvent]:
    """Events of one partition without keys, a second apart."""
    return [SampledEvent(0, "", time_s + i, row) for i, row in enumerate(rows)]


def reasons(choice: Choice) -> dict[str, str]:
    """Field -> why it was left out."""
    return {name: reason for name, reason, _ in choice.left_out}


def noise(i: int) -> float:
    """A measurement."""
    return round(random.Random(i).gauss(20, 3), 2)


def of_column(cells: Iterable[Cell], name: str = "x", **settings: Any) -> Choice:
    """What is chosen of a measurement and one more field."""
    rows = [{"rpm": noise(i), name: cell} for i, cell in enumerate(cells)]
    return choose(sampled(rows, settings.pop("time_s", float("nan"))), **settings)


def test_an_incomplete_first_event_decides_nothing() -> None:
    """Neither a heartbeat, nor a null, nor a field that comes late: all of the first events do."""
    rows: list[Mapping[str, Cell]] = [{"beat": 1.0}, {"a": None, "b": 2.0}]
    rows += [{"a": noise(i), "b": noise(i + 99), "c": noise(i + 999)} for i in range(30)]
    choice = choose(sampled(rows))
    assert choice.schema == Schema(("a", "b", "c"))
    assert reasons(choice) == {"beat": "rare"}
    assert choice.num_events == 32


@pytest.mark.parametrize("unit", [1.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("name", ["ts", "x"])
def test_seconds_since_1970_are_a_timestamp(unit: float, name: str) -> None:
    """In seconds, milli-, micro- and nanoseconds, whatever the field is called."""
    cells = [(NOW_S + 0.5 * i) * unit for i in range(32)]
    assert reasons(of_column(cells, name)) == {name: "time"}
    assert "input.time_field" in REASONS["time"]


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("createdAt", [NOW_S + (i * 7) % 5 for i in range(32)]),
        ("t", [0.1 * i for i in range(32)]),
        ("Timestamp", [float(i) for i in range(32)]),
        ("d", [20_260_301.0 + i for i in range(20)]),
        ("stamp", [20_260_301_080_000.0 + i for i in range(32)]),
        ("when", ["2026-03-01T08:00:00Z"] * 32),
        ("at", [Kind.MOMENT] * 8),
    ],
)
def test_other_times_are_timestamps(name: str, cells: list[Cell]) -> None:
    """Near the event's time, rising under a name of time, written as a date, or typed as one."""
    assert reasons(of_column(cells, name, time_s=NOW_S)) == {name: "time"}


def test_a_single_event_knows_its_own_time() -> None:
    """One event of a quiet stream: what is near its time is no measurement."""
    assert reasons(of_column([NOW_S * 1e3], "x", time_s=NOW_S)) == {"x": "time"}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("index", [float(i) for i in range(3)]),
        ("x", [float(i) for i in range(700, 708)]),
        ("x", [float(i + (i > 20)) for i in range(32)]),
    ],
)
def test_row_numbers_are_left_out(name: str, cells: list[Cell]) -> None:
    """Whole numbers that step by one, a lost row or two allowed."""
    assert reasons(of_column(cells, name)) == {name: "counter"}


def test_sequence_numbers_of_several_machines_are_left_out() -> None:
    """Each key may count by itself, or all keys together."""
    for keys_of_a_step in (4, 1):
        events = [
            SampledEvent(0, f"m{i % 4}", NOW_S, {"rpm": noise(i), "n": float(i // keys_of_a_step)})
            for i in range(36)
        ]
        assert reasons(choose(events)) == {"n": "counter"}


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("bytes", [1.5e9 - 1e6 * i for i in range(32)]),
        ("level", [1.5e9] * 32),
        ("energy", [10.0 * i for i in range(32)]),
        ("x", [20.0, 21.0]),
        ("ramp", [0.5 * i for i in range(32)]),
        ("cycle_time", [3.5 + (i * 7) % 5 for i in range(32)]),
        ("constant", [4.0] * 32),
        ("on", [float(i % 2) for i in range(32)]),
    ],
)
def test_measurements_stay(name: str, cells: list[Cell]) -> None:
    """What merely grows, is large, or is called after a time is a channel."""
    choice = of_column(cells, name)
    assert choice.schema == Schema(("rpm", name))
    assert not choice.left_out


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (["A"] * 9, "constant"),
        ([f"m{i % 3}" for i in range(9)], "key"),
        ([f"note {i}" for i in range(9)], "text"),
        (["1.5", "-.5", " 6123e-3 "], "numbers_as_text"),
        (["1.5", "2.5", "6,123.0"], "number_format"),
        (["100,123"] * 3, "number_format"),
        (["1 000.5"] * 3, "number_format"),
        (["1.000.000"] * 3, "number_format"),
        ([Kind.NESTED] * 3, "nested"),
        ([Kind.LIST] * 3, "list"),
        ([Kind.RECORDS] * 3, "records"),
        ([Kind.DURATION] * 3, "duration"),
        ([Kind.TIME_OF_DAY] * 3, "time_of_day"),
        ([Kind.BYTES] * 3, "bytes"),
        ([Kind.OTHER] * 3, "other"),
        ([None] * 9, "empty"),
        (["x", 1.0], "text"),
    ],
)
def test_what_holds_no_numbers_is_told(cells: list[Cell], reason: str) -> None:
    """Each with a reason and a hint."""
    (left_out,) = of_column(cells).left_out
    assert left_out == ("x", reason, REASONS[reason])


def test_a_field_is_numeric_if_most_of_its_values_are() -> None:
    """A text among numbers is one bad value, no other kind of field."""
    assert of_column([1.0, "x", 2.5]).schema == Schema(("rpm", "x"))


def test_a_typed_column_needs_no_value() -> None:
    """A column of numbers that is empty at first is one."""
    assert of_column([None] * 9, typed={"x"}).schema == Schema(("rpm", "x"))


def test_special_ignored_and_text_fields_are_none() -> None:
    """What has another meaning is not even left out; what a glob means is."""
    rows = [{"ts": 1.0, "k": 2.0, "eval_a": 3.0, "city": 4.0, "a": noise(i)} for i in range(4)]
    choice = choose(sampled(rows), special={"ts", "k"}, ignored=["eval_*"], texts=["city"])
    assert choice.schema == Schema(("a",), ("city",))
    assert reasons(choice) == {"eval_a": "ignored"}


def test_a_guess_never_leaves_nothing() -> None:
    """The only field of numbers is taken though it counts; a lone timestamp decides nothing."""
    assert choose(sampled([{"n": float(i)} for i in range(32)])).schema == Schema(("n",))
    assert choose(sampled([{"ts": NOW_S + i} for i in range(32)])).schema is None
    assert choose(sampled([{"note": "x"}])).schema is None
    assert choose([]).schema is None


def test_machines_with_fields_of_their_own_keep_them() -> None:
    """A field that one of many machines sends always is not rare."""
    events = [
        SampledEvent(0, f"m{i % 16}", NOW_S, {"a": noise(i), f"own{i % 16}": noise(i + 99)})
        for i in range(32)
    ]
    assert choose(events).schema == Schema(("a", *(f"own{i}" for i in range(16))))


def test_required_channels_are_those_of_most_events() -> None:
    """Where an event must have all channels, a field of few events would refuse the others."""
    rows = [{"a": noise(i), **({"b": noise(i)} if i % 4 == 0 else {})} for i in range(32)]
    assert choose(sampled(rows), required=True).schema == Schema(("a",))
    assert choose(sampled(rows)).schema == Schema(("a", "b"))


def test_the_number_of_channels_is_bounded() -> None:
    """The first are taken, the others are told."""
    row: dict[str, Cell] = {f"f{i}": 0.5 for i in range(MAX_FIELDS + 1)}
    choice = choose(sampled([row]))
    assert choice.schema is not None
    assert len(choice.schema.fields) == MAX_FIELDS
    assert reasons(choice) == {f"f{MAX_FIELDS}": "too_many"}
