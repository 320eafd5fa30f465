"""Fields that are no columns are found by a quick look, in every format."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa
import pytest

from streamssl.codecs.arrow import ArrowDecoder
from streamssl.codecs.arrow_reader import write_batch
from streamssl.codecs.json import JsonDecoder
from streamssl.codecs.other_fields import MAX_LOOKS
from streamssl.codecs.table import TableDecoder
from streamssl.config.sections import InputConfig
from streamssl.data.channels import against
from streamssl.data.events import Message, Schema, Slice
from tests.strategies import slice_of

KNOWN = frozenset({"a", "b", "site", "motor.rpm"})


def objects(*rows: dict[str, Any] | bytes) -> Slice:
    """A slice of JSON messages."""
    values = (row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows)
    return slice_of([Message(0, at, None, value, 1) for at, value in enumerate(values)])


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([{"a": 1, "site": "x"}], {}),
        ([{"a": 1, "new": 2}, {"a": 1, "new": "x"}], {"new": 2}),
        ([{"a": 1, "new": None}], {}),
        ([{"motor": {"rpm": 1}}, {"motor": {"rpm": 1, "on": True}}], {"motor.on": 1}),
        ([{"motor": {"site": "x", "none": None}}], {"motor.site": 1}),
        ([b"{", {"a": 1}, b"[1]"], {}),
        ([{"a": 1, "b": 2}] * 9 + [{"a": 1, "renamed": 2}], {"renamed": 1}),
    ],
)
def test_json_fields_that_are_not_known(rows: list[Any], found: dict[str, int]) -> None:
    """By name, or by the path in an object; null says nothing."""
    reader = JsonDecoder(topic="in", input=InputConfig())
    assert reader.others(objects(*rows), KNOWN) == Counter(found)


def test_messages_with_more_names_than_usual_are_looked_into() -> None:
    """One among many is found; of many at once only some are looked into."""
    reader = JsonDecoder(topic="in", input=InputConfig())
    usual: list[Any] = [{"a": 1, "b": 2}] * 300
    assert reader.others(objects(*usual), KNOWN) == Counter()
    usual[150] = {"a": 1, "b": 2, "new": 3}
    assert reader.others(objects(*usual), KNOWN) == Counter({"new": 1})
    many: list[Any] = [{"a": 1, "b": 2, "new": 3}] * 300
    assert reader.others(objects(*many), KNOWN)["new"] == MAX_LOOKS + 1


def test_an_array_has_no_other_fields() -> None:
    """What stands beside `input.values_field` was never meant as a channel."""
    reader = JsonDecoder(topic="in", input=InputConfig(values_field="v"))
    assert reader.others(objects({"v": [1], "x": 2}), {"v"}) == Counter()


def test_columns_of_arrow_that_are_not_known() -> None:
    """Those of the last message, where they hold a value."""
    reader = ArrowDecoder(topic="in", input=InputConfig())
    rows = pa.RecordBatch.from_pydict({"a": [1, 2], "new": [None, 2.0], "none": [None, None]})
    piece = slice_of([Message(0, 0, None, write_batch(rows), 1)])
    assert reader.others(piece, KNOWN) == Counter({"new": 1})
    rows = pa.RecordBatch.from_pylist([{"motor": {"rpm": 1.0, "new": 2.0}, "a": 1}])
    piece = slice_of([Message(0, 0, None, write_batch(rows), 1)])
    assert reader.others(piece, KNOWN) == Counter({"motor.new": 1})
    assert reader.others(slice_of([Message(0, 0, None, b"x", 1)]), KNOWN) == Counter()


def test_columns_of_a_table_that_are_not_known() -> None:
    """Columns that were left out as empty, where they hold a value."""
    rows = pa.RecordBatch.from_pydict({"a": [1.0, 2.0], "late": [None, 2.0], "none": [None, None]})
    reader = TableDecoder(topic="in", schema=Schema(("a",)), input=InputConfig())
    assert reader.others(Slice(0, 1, 0, 2, rows), KNOWN) == Counter({"late": 1})


def test_samples_name_every_field_that_a_readable_event_carries() -> None:
    """By its path in an object or a struct; also null, and also where no number is plain."""
    rows: list[dict[str, Any]] = [{"motor": {"rpm": 1.0, "none": None}, "site": "A"}]
    arrow = slice_of([Message(0, 0, None, write_batch(pa.RecordBatch.from_pylist(rows)), 1)])
    settings = InputConfig()
    for reader, piece in (
        (JsonDecoder(topic="in", fields=["motor.rmp"], input=settings), objects(*rows)),
        (ArrowDecoder(topic="in", fields=["motor.rmp"], input=settings), arrow),
    ):
        sample = reader.sample(piece)
        assert sample.names == {"motor.rpm", "motor.none", "site"}
        choice = against(reader.choose([sample]), Schema(("motor.rmp",)), sample.names)
        assert choice.absent["motor.rmp"].startswith("did you mean motor.rpm")
        assert {left.name: left.reason for left in choice.left_out} == {
            "motor.rpm": "nested",
            "motor.none": "empty",
            "site": "text",
        }
