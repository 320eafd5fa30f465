"""Text columns: every format gives the same texts, and the same rows are no events."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.codecs.dead_letters import REASONS
from streamssl.codecs.fields import FieldNamesError
from streamssl.codecs.json import JsonDecoder
from streamssl.codecs.table_fields import TableError
from streamssl.codecs.texts import MAX_TEXT_BYTES
from streamssl.config.sections import InputConfig
from streamssl.data.events import Decoded, Message, Schema, check_batch
from tests.codecs.formats import (
    FORMATS,
    from_csv,
    from_json,
    from_packed,
    from_table,
)
from tests.strategies import first_decoded, slice_of, table_rows

SHAPES = [(("a", "b"), ()), (("a",), ("city", "kind")), ((), ("city", "kind"))]
every_format = pytest.mark.parametrize("name", sorted(FORMATS))


def texts(decoded: Decoded) -> list[dict[str, str | None]]:
    """The texts of the events, row by row."""
    assert decoded.batch.texts is not None
    rows: list[dict[str, str | None]] = decoded.batch.texts.to_pylist()
    return rows


def reasons(decoded: Decoded) -> list[str]:
    """Why rows are no events."""
    return [letter.reason for letter in decoded.dead_letters]


@pytest.mark.parametrize("shape", SHAPES, ids=["numbers", "both", "texts"])
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_every_format_gives_the_same_columns(
    shape: tuple[tuple[str, ...], tuple[str, ...]], data: st.DataObject
) -> None:
    """Rows come back in their order, whatever is missing and in whatever script it is written."""
    fields, names = shape
    rows = data.draw(table_rows(fields, names))
    for name, read in FORMATS.items():
        decoded = read(rows, fields=fields, texts=names)
        check_batch(decoded.batch)
        assert not decoded.dead_letters, name
        assert decoded.schema == decoded.batch.schema == Schema(fields, names)
        wanted = np.array([[row[field] for field in fields] for row in rows], np.float64)
        np.testing.assert_array_equal(decoded.batch.values_BC, wanted.reshape(len(rows), -1))
        if names:
            assert texts(decoded) == [{text: row[text] for text in names} for row in rows]
            assert decoded.batch.texts is not None
            assert decoded.batch.texts.schema.types == [pa.string()] * len(names)
        else:
            assert decoded.batch.texts is None


@every_format
def test_numbers_and_booleans_are_texts_as_json_writes_them(name: str) -> None:
    """An id may come as 17 or as "17"."""
    kinds: list[tuple[list[Any], list[str]]] = [
        ([17, None, 2**62], ["17", str(2**62)]),
        ([True, False, None], ["true", "false"]),
        ([17.5, None, 3.0], ["17.5", "3.0"]),
        (["17", "é ", None], ["17", "é "]),
    ]
    for cells, wanted in kinds:
        rows = [{"a": 1.0, "id": cell} for cell in cells]
        decoded = FORMATS[name](rows, texts=["id"])
        assert decoded.schema == Schema(("a",), ("id",))
        assert [row["id"] for row in texts(decoded) if row["id"] is not None] == wanted


def test_json_numbers_are_texts_as_they_are_written() -> None:
    """Not as another writer would have put them, be they mixed with texts or long."""
    values = [b"1.50", b'"1.50"', b"1e3 ", b"123456789012345678901234567890", b"true", b"null"]
    items = [
        Message(0, at, None, b'{"id": 1, "id": %s, "note": 2.0}' % value, 1)
        for at, value in enumerate(values)
    ]
    reader = JsonDecoder(topic="in", fields=[], texts=["id"], input=InputConfig())
    found = [row["id"] for row in texts(reader.decode(slice_of(items), None))]
    assert found == ["1.50", "1.50", "1e3", "123456789012345678901234567890", "true", None]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["17", None, "x"]),
        pa.array(["17", None, "x"], pa.large_string()),
        pa.array(["17", None, "x"], pa.string_view()),
        pa.array(["17", None, "x"]).dictionary_encode(),
        pa.array([17, None, 18], pa.int8()),
        pa.array([17, None, 18], pa.uint64()).dictionary_encode(),
        pa.array([Decimal(17), None, Decimal(18)]),
        pa.nulls(3),
    ],
    ids=lambda column: str(column.type),
)
def test_arrow_types_of_texts(column: pa.Array) -> None:
    """Every kind of text and of whole number is read, in messages and in files."""
    rows = pa.RecordBatch.from_pydict({"a": [1.0, 2.0, 3.0], "id": column})
    wanted = [None if cell is None else str(cell) for cell in column.to_pylist()]
    for read in (from_packed, from_table):
        decoded = read(rows, texts=["id"])
        assert [row["id"] for row in texts(decoded)] == wanted
        assert not decoded.dead_letters


def test_floats_that_are_no_number_are_missing_texts() -> None:
    """NaN is missing, as among the numbers; the others are the shortest decimals."""
    for kind in (pa.float32(), pa.float64()):
        column = pa.array([0.1, np.nan, None, 17.0], kind)
        rows = pa.RecordBatch.from_pydict({"a": [1.0] * 4, "id": column})
        for read in (from_packed, from_table):
            found = [row["id"] for row in texts(read(rows, texts=["id"]))]
            assert found == ["0.1", None, None, "17.0"]


def test_what_is_missing() -> None:
    """Null or absent; an empty text is a text, but an empty cell of CSV is none."""
    rows = [{"a": 1, "city": ""}, {"a": 2, "city": None}, {"a": 3}, {"a": 4, "city": "null"}]
    for name, read in FORMATS.items():
        found = [row["city"] for row in texts(read(rows, texts=["city"]))]
        assert found == [None if name == "csv" else "", None, None, "null"]


@every_format
def test_required_texts(name: str) -> None:
    """With `required` a row without its text is a dead letter; the others keep theirs."""
    rows = [{"a": 1, "city": "Rome"}, {"a": 2, "city": None}, {"a": 3, "city": "Oslo"}]
    decoded = FORMATS[name](rows, texts=["city"], required=True)
    assert reasons(decoded) == ["missing_field"]
    assert texts(decoded) == [{"city": "Rome"}, {"city": "Oslo"}]
    assert decoded.batch.values_BC.tolist() == [[1.0], [3.0]]


@every_format
def test_texts_beyond_the_limit_cost_their_rows(name: str) -> None:
    """The limit is in bytes; what is as long as it is read."""
    longest = "é" * (MAX_TEXT_BYTES // 2)
    rows = [{"a": 1, "city": longest + "x"}, {"a": 2, "city": longest}, {"a": 3, "city": "x"}]
    for required in (False, True):
        decoded = FORMATS[name](rows, texts=["city"], required=required)
        assert reasons(decoded) == ["too_large"]
        assert set(reasons(decoded)) <= set(REASONS)
        assert "'city' has 1025 bytes" in decoded.dead_letters[0].detail
        assert texts(decoded) == [{"city": longest}, {"city": "x"}]


@pytest.mark.parametrize("cell", [["Rome"], {"name": "Rome"}, []], ids=str)
def test_nested_values_cost_their_rows(cell: Any) -> None:
    """A list or an object is no text; its neighbours are untouched."""
    rows = [{"a": 1, "city": "Oslo"}, {"a": 2, "city": cell}, {"a": 3, "city": "[x]"}]
    decoded = from_json(rows, texts=["city"])
    assert reasons(decoded) == ["wrong_type"]
    assert "city" in decoded.dead_letters[0].detail
    assert texts(decoded) == [{"city": "Oslo"}, {"city": "[x]"}]


@pytest.mark.parametrize(
    "column",
    [pa.array([["x"]]), pa.array([b"x"]), pa.array([1], pa.timestamp("s"))],
    ids=lambda column: str(column.type),
)
def test_columns_of_other_types_are_refused(column: pa.Array) -> None:
    """A message is one dead letter; a file is an error before its first row."""
    rows = pa.RecordBatch.from_pydict({"a": [1.0], "city": column})
    decoded = from_packed(rows, texts=["city"])
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [("wrong_type", None)]
    with pytest.raises(TableError, match=r"'city' holds .*, not texts"):
        from_table(rows, texts=["city"])


@every_format
def test_named_texts_are_never_channels(name: str) -> None:
    """Under `fields: auto` a text column is no number, though all its cells are."""
    decoded = FORMATS[name]([{"a": 1, "id": 17}, {"a": 2, "id": 18}], texts=["id"])
    assert decoded.schema == Schema(("a",), ("id",))
    assert decoded.batch.values_BC.tolist() == [[1.0], [2.0]]


@every_format
def test_a_stream_of_texts_alone(name: str) -> None:
    """No number at all: the events have their texts, and values of no channel."""
    decoded = FORMATS[name]([{"city": "Rome"}, {"city": "Oslo"}], texts=["city"])
    assert decoded.schema == Schema((), ("city",))
    assert decoded.batch.values_BC.shape == (2, 0)
    assert texts(decoded) == [{"city": "Rome"}, {"city": "Oslo"}]


def test_an_event_that_names_no_column_decides_nothing() -> None:
    """It is a dead letter, before the columns are known and after."""
    decoded = from_json([{"x": "y"}, {"city": "Rome", "a": 1}, {"x": "y"}], texts=["city"])
    assert decoded.schema == Schema(("a",), ("city",))
    assert [(d.reason, d.message.offset) for d in decoded.dead_letters] == [
        ("missing_field", 0),
        ("missing_field", 2),
    ]
    assert from_json([{"x": "y"}], texts=["city"]).schema is None


def test_messages_without_a_text_column() -> None:
    """Arrow: an absent column is missing in every row, and a message without any is refused."""
    one, other, none = ({"a": [1.0]}, {"city": ["Rome"]}, {"x": ["y"]})
    found = [
        from_packed(pa.RecordBatch.from_pydict(rows), fields=["a"], texts=["city"])
        for rows in (one, other, none)
    ]
    assert [texts(f) for f in found] == [[{"city": None}], [{"city": "Rome"}], []]
    assert [reasons(f) for f in found] == [[], [], ["missing_field"]]


@pytest.mark.parametrize("read", [from_json, FORMATS["arrow"]])
def test_texts_beside_an_array_of_values(read: Any) -> None:
    """The array holds the numbers; an empty one decides nothing, whatever texts are there."""
    config = InputConfig(values_field="v")
    rows = [{"v": [1.0, 2.0], "city": "Rome"}, {"v": [3.0, 4.0], "city": None}]
    decoded = read(rows, texts=["city"], input=config)
    assert decoded.schema == Schema(("v[0]", "v[1]"), ("city",))
    assert texts(decoded) == [{"city": "Rome"}, {"city": None}]
    empty = read([{"v": [], "city": "Rome"}], texts=["city"], input=config)
    assert (empty.schema, len(empty.dead_letters)) == (None, 1)


def test_a_dictionary_of_texts_cannot_grow_without_bound() -> None:
    """What a message's texts need once written out counts before they are all written out."""
    index = pa.array(np.zeros(60_000, np.int8))
    column = pa.DictionaryArray.from_arrays(index, pa.array(["x" * 1_000]))
    rows = pa.RecordBatch.from_pydict({"a": np.zeros(60_000), "s": column, "t": column})
    config = InputConfig(max_message_bytes=1_500_000)
    (letter,) = from_packed(rows, texts=["s", "t"], input=config).dead_letters
    assert (letter.reason, letter.index) == ("too_large", None)
    assert len(from_packed(rows, texts=["s"], input=config).batch) == 60_000


@pytest.mark.parametrize("config", [{}, {"key_field": "city"}, {"time_field": "city"}])
def test_a_name_with_two_meanings_is_refused(config: dict[str, Any]) -> None:
    """A text that is a number, the key or the time as well."""
    fields = "auto" if config else ["city"]
    with pytest.raises(FieldNamesError, match="'city' has two meanings"):
        from_json([], fields=fields, texts=["city"], input=InputConfig(**config))
    with pytest.raises(FieldNamesError, match="'city' has two meanings"):
        from_csv([{"city": "x"}], fields=fields, texts=["city"], input=InputConfig(**config))


@settings(deadline=None, max_examples=40)
@given(rows=table_rows(("a",), ("city",)), cut=st.integers(0, 8), auto=st.booleans())
def test_any_cut_gives_the_same_columns(rows: list[dict[str, Any]], cut: int, auto: bool) -> None:
    """What a message becomes never depends on how polls cut the stream."""
    fields: Any = "auto" if auto else ["a"]
    reader = JsonDecoder(topic="in", fields=fields, texts=["city"], input=InputConfig())
    items = [Message(0, at, None, json.dumps(row).encode(), 1) for at, row in enumerate(rows)]
    whole = first_decoded(reader, slice_of(items))
    head = reader.decode(slice_of(items[:cut]), whole.schema)
    rest = reader.decode(slice_of(items[cut:]), whole.schema)
    assert rest.schema == whole.schema
    assert texts(whole) == [row for part in (head, rest) if len(part.batch) for row in texts(part)]
