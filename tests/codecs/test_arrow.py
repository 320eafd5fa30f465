"""Arrow IPC messages to columns."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc

from streamssl.codecs.arrow import ArrowDecoder
from streamssl.codecs.dead_letters import REASONS
from streamssl.config.sections import InputConfig
from streamssl.data.events import Decoded, Message, Schema
from tests.strategies import first_decoded, slice_of

Fields = Literal["auto"] | list[str]


def decoder(fields: Fields = "auto", required: bool = False, **config: Any) -> ArrowDecoder:
    return ArrowDecoder(topic="in", fields=fields, input=InputConfig(**config), required=required)


def encode(
    columns: Any, form: str = "stream", compression: str | None = None, chunk: int | None = 2
) -> bytes:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    sink = pa.BufferOutputStream()
    new = ipc.new_stream if form == "stream" else ipc.new_file
    with new(sink, table.schema, options=ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return bytes(sink.getvalue().to_pybytes())


def decode(reader: ArrowDecoder, *values: Any, key: bytes | None = b"machine") -> Decoded:
    encoded = [v if isinstance(v, bytes) or v is None else encode(v) for v in values]
    items = [Message(2, 5 + i, key, v, 1_000) for i, v in enumerate(encoded)]
    return first_decoded(reader, slice_of(items))


ROWS = {"t": [1.0, 2.0, 3.0], "k": ["x", "y", "x"], "a": [1.5, None, 3.5], "b": [1, 2, 3]}
KNOWN: dict[str, Any] = {"time_field": "t", "key_field": "k"}


@pytest.mark.parametrize("form", ["stream", "file"])
@pytest.mark.parametrize("compression", [None, "zstd", "lz4"])
def test_rows_are_events(form: str, compression: str | None) -> None:
    """Streams and files of several batches, compressed or not; the index is the row."""
    decoded = decode(decoder(**KNOWN), encode(ROWS, form, compression))
    batch = decoded.batch
    assert decoded.dead_letters == ()
    assert decoded.schema == batch.schema == Schema(("a", "b"))
    np.testing.assert_array_equal(batch.values_BC, [[1.5, 1], [np.nan, 2], [3.5, 3]])
    assert batch.ids() == ["in/2/5/0", "in/2/5/1", "in/2/5/2"]
    assert batch.keys.to_pylist() == ["x", "y", "x"]
    assert batch.event_time.tolist() == [1, 2, 3]


def test_many_messages_join_in_order() -> None:
    """Positions go on over messages; without fields, record key and timestamp count."""
    batch = decode(
        decoder(), {"a": [1.0, 2.0]}, {"a": [3.0]}, {"a": pa.array([], pa.float64())}
    ).batch
    assert batch.values_BC[:, 0].tolist() == [1, 2, 3]
    assert (batch.offset.tolist(), batch.index.tolist()) == ([5, 5, 6], [0, 1, 0])
    assert batch.keys.to_pylist() == ["machine"] * 3
    assert batch.event_time.tolist() == [1.0] * 3


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, 3], pa.int8()),
        pa.array([1, None, 3], pa.uint64()),
        pa.array(np.array([1, np.nan, 3], np.float16)),
        pa.array([1, float("nan"), 3], pa.float32()),
        pa.array([1, None, 3], pa.float64()).dictionary_encode(),
        pa.array([Decimal(1), None, Decimal(3)]),
    ],
    ids=lambda column: str(column.type),
)
def test_numeric_types(column: pa.Array) -> None:
    """Every numeric type is a channel; null and NaN are missing."""
    batch = decode(decoder(), {"a": column}).batch
    np.testing.assert_array_equal(batch.values_BC[:, 0], [1, np.nan, 3])


def test_booleans_and_all_null_columns() -> None:
    """Booleans are 1 and 0; a named column of nulls is all missing."""
    columns = {"a": [True, False], "b": pa.nulls(2), "s": ["x", "y"]}
    batch = decode(decoder(["a", "b"]), columns).batch
    np.testing.assert_array_equal(batch.values_BC, [[1, np.nan], [0, np.nan]])
    assert decode(decoder(), columns).batch.fields == ("a",)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([10_000, None], pa.timestamp("ms")),
        pa.array([10 * 10**9, None], pa.timestamp("ns", "Europe/Paris")),
        pa.array([datetime(1970, 1, 1, 0, 0, 10, tzinfo=UTC), None]),
        pa.array(["1970-01-01T00:00:10Z", None]),
        pa.array(["1970-01-01T00:00:10Z", None]).dictionary_encode(),
        pa.array(["1970-01-01T00:00:10Z", None], pa.string_view()),
        pa.array([10, None], pa.int64()),
    ],
    ids=lambda column: str(column.type),
)
def test_time_types(column: pa.Array) -> None:
    """Timestamps, numbers and ISO 8601 texts are times; a row without one is a dead letter."""
    decoded = decode(decoder(time_field="t"), {"t": column, "a": [1, 2]})
    assert decoded.batch.event_time.tolist() == [10.0]
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [("missing_field", 1)]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["7", None, "x" * 9]),
        pa.array(["7", None, "x" * 9], pa.large_string()),
        pa.array(["7", None, "x" * 9], pa.string_view()),
        pa.array(["7", None, "x" * 9]).dictionary_encode(),
        pa.array([7, None, 8]),
    ],
    ids=lambda column: str(column.type),
)
def test_key_types(column: pa.Array) -> None:
    """Texts and whole numbers are keys; null and long ones are dead letters of one row."""
    decoded = decode(decoder(key_field="k", max_key_bytes=8), {"k": column, "a": [1, 2, 3]})
    assert decoded.batch.keys.to_pylist()[0] == "7"
    reasons = [(d.reason, d.index) for d in decoded.dead_letters]
    assert reasons == [("missing_field", 1), ("bad_key", 2)][: 3 - len(decoded.batch)]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.int16(), 2)]
)
def test_lists_of_values(kind: pa.DataType) -> None:
    """A column of lists holds all channels; a null list is a dead letter of one row."""
    decoded = decode(decoder(values_field="v"), {"v": pa.array([[1, 2], None, [3, 4]], kind)})
    assert decoded.schema == Schema(("v[0]", "v[1]"))
    assert decoded.batch.values_BC.tolist() == [[1, 2], [3, 4]]
    assert decoded.batch.index.tolist() == [0, 2]
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [("missing_field", 1)]


def test_lists_of_another_length() -> None:
    """The first readable row decides the channels; other lengths are dead letters."""
    lists = pa.array([[np.inf], [1.0, 2.0], [], [1.0, 2.0, 3.0], [None, 4.0]])
    decoded = decode(decoder(values_field="v"), {"v": lists})
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1, 2], [np.nan, 4]])
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [
        ("wrong_count", 0),
        ("wrong_count", 2),
        ("wrong_count", 3),
    ]


def test_a_bad_row_is_a_message_of_one_row() -> None:
    """Neighbours are untouched, and the dead letter can be read again by itself."""
    columns = {
        "t": [1, 2, 3, 4],
        "k": pa.array(["x", None, "z", "w"]).dictionary_encode(),
        "a": [1, 2, np.inf, 1e39],
        "note": ["p", "q", "r", "s"],
    }
    decoded = decode(decoder(["a"], **KNOWN), columns)
    assert decoded.batch.index.tolist() == [0]
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [
        ("missing_field", 1),
        ("not_finite", 2),
        ("not_finite", 3),
    ]
    letter = decoded.dead_letters[1].message
    assert (letter.partition, letter.offset, letter.key) == (2, 5, b"machine")
    assert letter.value is not None
    row = ipc.open_stream(letter.value).read_all().to_pylist()
    assert row == [{"t": 3, "k": "z", "a": np.inf, "note": "r"}]
    mended = decode(decoder(["t"]), letter.value).batch
    assert mended.values_BC.tolist() == [[3.0]]


def test_required_channels() -> None:
    """With `required`, a row with a missing value and a message without a column are refused."""
    decoded = decode(decoder(["a"], required=True), {"a": [1.0, None, np.nan]}, {"b": [1]})
    assert len(decoded.batch) == 1
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [
        ("missing_field", 1),
        ("missing_field", 2),
        ("missing_field", None),
    ]


def bomb(compression: str = "zstd") -> bytes:
    return encode({**KNOWN_GOOD, "pad": ["x" * 4_000_000]}, compression=compression)


KNOWN_GOOD: dict[str, Any] = {"t": [1.0], "k": ["x"], "a": [1.0]}
TWICE = pa.table([pa.array([1.0])] * 4, ["t", "k", "a", "a"])
POISON: list[tuple[str, Any, str]] = [
    ("tombstone", None, "empty"),
    ("no bytes", b"", "empty"),
    ("text", b"hello, this is not Arrow", "bad_arrow"),
    ("JSON", b'{"t": 1, "k": "x", "a": 1}', "bad_arrow"),
    ("only the magic", b"ARROW1\0\0", "bad_arrow"),
    ("cut short", encode(ROWS)[:-120], "bad_arrow"),
    ("absurd length", b"\xff\xff\xff\xff" + struct.pack("<i", 2**31 - 1) + b"x" * 64, "bad_arrow"),
    ("too many bytes", b"x" * 50_001, "too_large"),
    ("too many rows", {"t": [1] * 101, "k": ["x"] * 101, "a": [1] * 101}, "too_large"),
    ("rows of nothing", encode({"t": pa.nulls(10**9)}, chunk=None), "too_large"),
    ("zstd bomb", bomb(), "too_large"),
    ("lz4 bomb", bomb("lz4"), "too_large"),
    ("no time", {"k": ["x"], "a": [1.0]}, "missing_field"),
    ("no key", {"t": [1], "a": [1.0]}, "missing_field"),
    ("no channel", {"t": [1], "k": ["x"], "z": [1.0]}, "missing_field"),
    ("text as channel", {"t": [1], "k": ["x"], "a": ["1"]}, "wrong_type"),
    ("list as channel", {"t": [1], "k": ["x"], "a": [[1.0]]}, "wrong_type"),
    ("boolean time", {"t": [True], "k": ["x"], "a": [1.0]}, "wrong_type"),
    ("bytes as key", {"t": [1], "k": [b"x"], "a": [1.0]}, "wrong_type"),
    ("a name twice", encode(TWICE), "wrong_type"),
]


@pytest.mark.parametrize(("value", "reason"), [p[1:] for p in POISON], ids=[p[0] for p in POISON])
def test_poison_is_one_dead_letter_and_neighbours_are_untouched(value: Any, reason: str) -> None:
    """A message that is malformed as a whole becomes one dead letter with its reason."""
    config = {**KNOWN, "max_message_bytes": 50_000, "max_events_per_message": 100}
    decoded = decode(decoder(["a"], **config), KNOWN_GOOD, value, KNOWN_GOOD)
    assert [(d.reason, d.index, d.message.offset) for d in decoded.dead_letters] == [
        (reason, None, 6)
    ]
    assert reason in REASONS
    assert decoded.batch.values_BC.tolist() == [[1.0], [1.0]]
    assert decoded.batch.offset.tolist() == [5, 7]
    first = decode(decoder(**config), value)
    assert len(first.batch) + len(first.dead_letters) == 1


def test_a_key_that_is_not_text_is_one_dead_letter() -> None:
    """The record's key is every row's key, so the message as a whole is refused."""
    decoded = decode(decoder(), ROWS, key=b"\xff")
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [("bad_key", None)]


def test_bad_rows_cannot_grow_without_bound() -> None:
    """Where the one-row letters would outgrow the memory, the whole message is one letter."""
    rows = {"k": pa.nulls(200, pa.utf8()), "a": [1.0] * 200}
    decoded = decode(
        decoder(key_field="k", max_message_bytes=2_000), encode(rows, compression="zstd")
    )
    assert {d.reason for d in decoded.dead_letters} <= {"too_large"}
    assert len(decoded.dead_letters) == 1


def test_a_long_text_in_a_dictionary_is_not_copied_into_every_row() -> None:
    """Repeating one long key costs its length once."""
    index = pa.array(np.zeros(60_000, np.int8))
    keys = pa.DictionaryArray.from_arrays(index, pa.array(["x" * 900_000]))
    decoded = decode(decoder(key_field="k"), encode({"k": keys, "a": np.zeros(60_000)}, chunk=None))
    assert [(d.reason, d.index) for d in decoded.dead_letters] == [("too_large", None)]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_mutated_bytes_never_crash(changes: list[tuple[int, int]]) -> None:
    """Whatever happened to the bytes, they are events or dead letters, and values are finite."""
    value = bytearray(encode({**ROWS, "k": pa.array(ROWS["k"]).dictionary_encode()}))
    for at, byte in changes:
        value[at % len(value)] = byte
    decoded = decode(decoder(["a", "b"], **KNOWN), bytes(value))
    assert not np.isinf(decoded.batch.values_BC).any()
    assert {d.reason for d in decoded.dead_letters} <= set(REASONS)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.floats(), st.none() | st.text(max_size=4)), max_size=20))
def test_every_row_is_one_event_or_one_dead_letter(rows: list[Any]) -> None:
    """Every row is accounted for once, whatever its neighbours are."""
    columns = {
        "a": pa.array([r[0] for r in rows], pa.float64()),
        "k": pa.array([r[1] for r in rows], pa.utf8()),
    }
    decoded = decode(decoder(["a"], key_field="k"), columns)
    bad = [d.index for d in decoded.dead_letters]
    assert sorted([*decoded.batch.index.tolist(), *bad]) == list(range(len(rows)))
    with np.errstate(over="ignore"):
        expected = [r for r, (a, k) in enumerate(rows) if k is None or np.isinf(np.float32(a))]
    assert bad == expected
