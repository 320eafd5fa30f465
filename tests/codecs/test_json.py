"""JSON messages to columns."""

from __future__ import annotations

import gc
import json
import sys
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.codecs.dead_letters import REASONS
from streamssl.codecs.fields import FieldNamesError
from streamssl.codecs.json import JsonDecoder
from streamssl.config.sections import InputConfig
from streamssl.data.events import Decoded, EventBatch, Message, Schema
from tests.strategies import FIELDS, Expected, first_decoded, messages, slice_of

DEEP = 100_000


def decoder(
    fields: Literal["auto"] | list[str] = "auto", required: bool = False, **config: Any
) -> JsonDecoder:
    return JsonDecoder(topic="in", fields=fields, input=InputConfig(**config), required=required)


def decode(
    reader: JsonDecoder, *values: Any, key: bytes | None = None, schema: Schema | None = None
) -> Decoded:
    encoded = [v if isinstance(v, bytes) or v is None else json.dumps(v).encode() for v in values]
    items = [Message(0, i, key, v, 1_700_000_000_500) for i, v in enumerate(encoded)]
    return first_decoded(reader, slice_of(items), schema)


def same(one: Decoded, other: Decoded) -> bool:
    columns = ("partition", "offset", "index", "event_time", "values_BC")
    return (
        all(
            np.array_equal(getattr(one.batch, c), getattr(other.batch, c), equal_nan=True)
            for c in columns
        )
        and one.batch.keys.equals(other.batch.keys)
        and one.schema == other.schema
        and one.batch.fields == other.batch.fields
        and one.dead_letters == other.dead_letters
    )


def test_array_of_values() -> None:
    """An array is a row; null is NaN, booleans are 1 and 0."""
    batch = decode(
        decoder(values_field="values", time_field="ts"),
        {"ts": 1.7e9, "values": [1.5, None, True]},
        {"ts": 1.7e12, "values": [2, False, 10**30]},
    ).batch
    assert batch.fields == ("values[0]", "values[1]", "values[2]")
    np.testing.assert_array_equal(batch.values_BC, np.array([[1.5, np.nan, 1], [2, 0, 1e30]]))
    assert batch.values_BC.dtype == np.float64
    assert batch.event_time.tolist() == [1.7e9, 1.7e9]
    assert batch.ids() == ["in/0/0/0", "in/0/1/0"]


def test_named_fields() -> None:
    """Named channels come in the configured order; null or absent is missing."""
    batch = decode(
        decoder(fields=["b", "a"], key_field="machine"),
        {"a": 1, "machine": "m1", "b": 2, "note": "x"},
        {"a": None, "b": 3, "machine": 7},
        {"a": 4, "machine": ""},
    ).batch
    np.testing.assert_array_equal(batch.values_BC, [[2, 1], [3, np.nan], [np.nan, 4]])
    assert batch.keys.to_pylist() == ["m1", "7", ""]
    assert batch.event_time.tolist() == [1_700_000_000.5] * 3


def test_auto_fields_come_from_the_first_events() -> None:
    """Numeric fields in order of appearance, without time, key and ignored globs."""
    reader = decoder(time_field="ts", key_field="id", ignore_fields=["eval_*"])
    assert decode(reader, {"z": "x"}).schema is None
    decoded = decode(
        reader,
        {"z": "x"},
        {"ts": 1, "id": 5, "z": 1, "on": True, "eval_label": 0, "s": "x", "none": None, "a": 2},
        {"ts": 2, "id": 5, "a": 3, "none": "y", "later": 9},
    )
    assert decoded.schema == decoded.batch.schema == Schema(("z", "on", "a", "later"))
    expected = [[1, 1, 2, np.nan], [np.nan, np.nan, 3, 9]]
    np.testing.assert_array_equal(decoded.batch.values_BC, expected)
    assert [letter.message.offset for letter in decoded.dead_letters] == [0]


def test_a_schema_that_is_given_counts() -> None:
    """Columns that an earlier slice decided stand, whatever comes first; the decoder keeps none."""
    reader, schema = decoder(), Schema(("a", "b"))
    decoded = decode(reader, {"b": 1, "c": 2}, schema=schema)
    assert decoded.schema == schema
    np.testing.assert_array_equal(decoded.batch.values_BC, [[np.nan, 1]])
    assert decode(reader, {"c": 1}).batch.fields == ("c",)
    assert decode(decoder(["x"]), {"a": 1}, schema=schema).batch.fields == ("a", "b")


def test_named_fields_are_known_without_an_event() -> None:
    """With names in the configuration nothing is left to decide."""
    assert decode(decoder(["a", "b"])).schema == Schema(("a", "b"))
    assert decode(decoder(["a", "b"]), b"{").schema == Schema(("a", "b"))


def test_an_empty_slice_is_a_batch() -> None:
    """No messages give no events, before and after the channels are known."""
    assert len(decode(decoder()).batch) == 0
    assert decode(decoder(), schema=Schema(("a",))).batch.values_BC.shape == (0, 1)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:10Z", 10),
        ("1970-01-01T02:00:10.5+02:00", 10.5),
        ("1970-01-01 00:00:10", 10),
        ("1970-01-02", 86_400),
        (99_999_999_999, 99_999_999_999),
        (100_000_000_001, 100_000_000.001),
        (1_772_352_000_123_456, 1_772_352_000.123456),
        (1_772_352_000_123_456_789, 1_772_352_000.1234567),
        (20_260_301_080_000, 1_772_352_000),
        ("2026-03-01 08:00:00 UTC", 1_772_352_000),
        (-5, -5),
    ],
)
def test_event_times(text: str | float, seconds: float) -> None:
    """Seconds, smaller units by their size, dates of 14 digits, ISO 8601 (UTC without a zone)."""
    batch = decode(decoder(time_field="t"), {"t": text, "a": 1}, {"t": 1, "a": 1}).batch
    assert batch.event_time.tolist() == [seconds, 1]


def test_late_and_repeated_times_stay_in_order_of_arrival() -> None:
    """Event times are carried; they never reorder or merge events."""
    batch = decode(decoder(time_field="t"), *[{"t": t, "a": t} for t in (5, 3, 3, 9)]).batch
    assert batch.event_time.tolist() == [5, 3, 3, 9]
    assert batch.offset.tolist() == [0, 1, 2, 3]


POISON = [
    ("tombstone", None, "empty"),
    ("no bytes", b"", "empty"),
    ("too many bytes", b'{"t":1,"k":"x","a":1,"b":2,"pad":"' + b"x" * 700_000 + b'"}', "too_large"),
    ("not JSON", b"hello", "bad_json"),
    ("not UTF-8", b'{"t":1,"k":"\xff","a":1,"b":2}', "bad_json"),
    ("cut short", b'{"t":1,"k":"x","a":1', "bad_json"),
    ("two objects", b'{"t":1,"k":"x","a":1},{"t":1,"k":"x","a":1}', "bad_json"),
    ("no literal", b'{"t":1,"k":"x","a":nan,"b":1}', "bad_json"),
    ("NaN as time", b'{"t":NaN,"k":"x","a":1,"b":1}', "missing_field"),
    ("Infinity", b'{"t":1,"k":"x","a":Infinity,"b":1}', "not_finite"),
    ("Avro", b"\0\0\0\0\x07\x02\x0aabcde", "bad_json"),
    ("overflow", b'{"t":1,"k":"x","a":1e999,"b":1}', "not_finite"),
    ("beyond float32", b'{"t":1,"k":"x","a":-3.5e38,"b":1}', "not_finite"),
    ("integer beyond float", b'{"t":1,"k":"x","a":' + b"9" * 400 + b"}", "not_finite"),
    ("number as text", {"t": 1, "k": "x", "a": "1.5", "b": 1}, "wrong_type"),
    ("array as channel", {"t": 1, "k": "x", "a": [1], "b": 1}, "wrong_type"),
    ("an array", [1, 2], "wrong_type"),
    ("a number", 3, "wrong_type"),
    ("null", b"null", "wrong_type"),
    ("none of the fields", {"t": 1, "k": "x", "other": 1}, "missing_field"),
    ("no time", {"k": "x", "a": 1}, "missing_field"),
    ("null time", {"t": None, "k": "x", "a": 1}, "missing_field"),
    ("boolean time", {"t": True, "k": "x", "a": 1}, "wrong_type"),
    ("no such time", {"t": "2024-13-01", "k": "x", "a": 1}, "bad_time"),
    ("beyond all years", {"t": 1e21, "k": "x", "a": 1}, "bad_time"),
    ("no such date", {"t": 20261301080000, "k": "x", "a": 1}, "bad_time"),
    ("date in words", {"t": "01/03/2026 08:00", "k": "x", "a": 1}, "bad_time"),
    ("no key", {"t": 1, "a": 1}, "missing_field"),
    ("null key", {"t": 1, "k": None, "a": 1}, "missing_field"),
    ("long key", {"t": 1, "k": "é" * 129, "a": 1}, "bad_key"),
    ("key of another type", {"t": 1, "k": 1.5, "a": 1}, "wrong_type"),
    ("half a surrogate", b'{"t":1,"k":"\\ud800","a":1}', "bad_json"),
    ("deep channel", b'{"t":1,"k":"x","a":' + b"[" * DEEP + b"]" * DEEP + b"}", "wrong_type"),
    ("deep elsewhere", b'{"t":1,"k":"x","a":1,"d":' + b"[" * DEEP + b"]" * DEEP + b"}", "too_deep"),
    (
        "deep objects",
        b'{"t":1,"k":"x","d":' + b'{"d":' * DEEP + b"1" + b"}" * DEEP + b"}",
        "too_deep",
    ),
    ("only deep", b"[" * DEEP, "wrong_type"),
]


@pytest.mark.parametrize(("value", "reason"), [p[1:] for p in POISON], ids=[p[0] for p in POISON])
def test_poison_is_a_dead_letter_and_neighbours_are_untouched(value: Any, reason: str) -> None:
    """Every kind of poison gets its reason; the events before and after are as without it."""
    config: Any = {"time_field": "t", "key_field": "k", "max_message_bytes": 700_000}
    good = {"t": 1, "k": "x", "a": 1.5, "b": None}, {"t": 2, "k": "y", "a": 2.5, "b": 4}
    alone = decode(decoder(["a", "b"], **config), *good).batch
    decoded = decode(decoder(["a", "b"], **config), good[0], value, good[1])
    assert [(d.reason, d.message.offset, d.index) for d in decoded.dead_letters] == [
        (reason, 1, None)
    ]
    assert reason in REASONS
    assert len(decoded.dead_letters[0].detail) < 200
    np.testing.assert_array_equal(decoded.batch.values_BC, alone.values_BC)
    assert decoded.batch.offset.tolist() == [0, 2]
    alone_first = decode(decoder("auto", **config), value)
    assert len(alone_first.batch) + len(alone_first.dead_letters) == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"v": [1]}, "wrong_count"),
        ({"v": [1, 2, 3]}, "wrong_count"),
        ({"v": []}, "wrong_count"),
        ({"v": None}, "missing_field"),
        ({}, "missing_field"),
        ({"v": [1, "2"]}, "wrong_type"),
        ({"v": {"0": 1}}, "wrong_type"),
        ({"v": [1, 1e39]}, "not_finite"),
    ],
)
def test_poison_in_arrays(value: Any, reason: str) -> None:
    """An array with another number of values, or of other things, is a dead letter."""
    decoded = decode(decoder(values_field="v"), {"v": [1, 2]}, value, {"v": [None, 3]})
    assert [letter.reason for letter in decoded.dead_letters] == [reason]
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1, 2], [np.nan, 3]])


@pytest.mark.parametrize("value", [{"a": 1}, {"a": 1, "b": None}])
def test_required_channels(value: Any) -> None:
    """With `required`, null and absent channels are dead letters."""
    decoded = decode(decoder(["a", "b"], required=True), value, {"a": 1, "b": 2})
    assert [letter.reason for letter in decoded.dead_letters] == ["missing_field"]
    assert len(decoded.batch) == 1


def test_record_keys() -> None:
    """Without a key field the record's key counts: absent is empty, odd ones are dead letters."""
    reader = decoder(["a"])
    assert decode(reader, {"a": 1}).batch.keys.to_pylist() == [""]
    assert decode(reader, {"a": 1}, key="é".encode()).batch.keys.to_pylist() == ["é"]
    for key in (b"\xff", b"k" * 257):
        assert [d.reason for d in decode(reader, {"a": 1}, key=key).dead_letters] == ["bad_key"]
    assert len(decode(reader, {"a": 1}, key=b"k" * 256).batch) == 1


def test_one_odd_record_key_leaves_its_neighbours_alone() -> None:
    """Keys of one slice that is not all text: those that are text are read as without it."""
    keys = [b"a", None, b"\xff", "é".encode(), b"\xc3", b"", b"k" * 257, b"b"]
    piece = slice_of([Message(0, i, key, b'{"a":1}', 1) for i, key in enumerate(keys)])
    decoded = decoder(["a"]).decode(piece, None)
    assert decoded.batch.offset.tolist() == [0, 1, 3, 5, 7]
    assert decoded.batch.keys.to_pylist() == ["a", "", "é", "", "b"]
    assert [(d.reason, d.message.offset) for d in decoded.dead_letters] == [
        ("bad_key", 2),
        ("bad_key", 4),
        ("bad_key", 6),
    ]


TIMES = 64


def test_bad_messages_leave_no_garbage() -> None:
    """A slice is freed when it is done with: waiting for a collection would hold its memory."""
    reader = decoder(["a"])
    gc.collect()
    gc.disable()
    try:
        for _ in range(TIMES):
            decode(reader, {"a": 1}, b"{", {"a": "x"}, b'{"d":' + b"[" * DEEP, b"\xff")
        # Other threads of the process may leave a few objects, but not one for each slice.
        assert gc.collect() < TIMES
    finally:
        gc.enable()


def test_of_a_repeated_name_the_last_counts() -> None:
    """Duplicate names are read as most parsers do."""
    batch = decode(decoder(), b'{"a":1,"a":2}').batch
    assert (batch.fields, batch.values_BC.tolist()) == (("a",), [[2.0]])


def test_nesting_does_not_depend_on_the_callers_stack() -> None:
    """What is too deep is the same wherever the decoder is called from."""
    value = b'{"a":1,"d":' + b"[" * 700 + b"]" * 700 + b"}"

    def at_depth(depth: int) -> Decoded:
        return at_depth(depth - 1) if depth else decode(decoder(["a"]), value)

    here = 0
    frame = sys._getframe()
    while frame.f_back:
        frame, here = frame.f_back, here + 1
    assert len(at_depth(sys.getrecursionlimit() - here - 120).batch) == len(at_depth(0).batch) == 1


@pytest.mark.parametrize(
    "config",
    [
        {"time_field": "a"},
        {"key_field": "b"},
        {"values_field": "a"},
    ],
)
def test_contradicting_names_are_refused(config: Any) -> None:
    """A name with two meanings is an error that names it."""
    with pytest.raises(FieldNamesError, match="two meanings"):
        decoder(["a", "b"], **config)


@settings(deadline=None, max_examples=50)
@given(messages())
def test_every_message_is_one_event_or_one_dead_letter(expected: list[Expected]) -> None:
    """Good messages are events, bad ones dead letters, each at its own position."""
    decoded = decoder([*FIELDS], time_field="ts").decode(
        slice_of([e.message for e in expected]), None
    )
    assert decoded.batch.offset.tolist() == [e.message.offset for e in expected if e.readable]
    assert [d.message for d in decoded.dead_letters] == [
        e.message for e in expected if not e.readable
    ]
    assert not np.isinf(decoded.batch.values_BC).any()


@settings(deadline=None, max_examples=50)
@given(messages(), st.data())
def test_any_cut_decodes_like_the_whole(expected: list[Expected], data: st.DataObject) -> None:
    """However polls cut the stream, the events and dead letters are the same."""
    items = [e.message for e in expected]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(items)), max_size=3)) | {0, len(items)})
    fields: Any = data.draw(st.sampled_from(["auto", [*FIELDS]]))
    whole = decoder(fields, time_field="ts").decode(slice_of(items), None)
    reader, schema = decoder(fields, time_field="ts"), None
    parts = []
    for a, b in zip(cuts, cuts[1:] or cuts, strict=False):
        parts.append(reader.decode(slice_of(items[a:b]), schema))
        schema = parts[-1].schema
    batches = [p.batch for p in parts if len(p.batch)] or [parts[-1].batch]
    letters = tuple(d for part in parts for d in part.dead_letters)
    assert same(Decoded(EventBatch.concat(batches), letters, schema), whole)
