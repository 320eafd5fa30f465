"""JSON as producers really write it: by default and by choice."""

from __future__ import annotations

import json
import logging
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamssl.codecs.json import JsonDecoder
from streamssl.codecs.json_text import mended
from streamssl.config.sections import InputConfig
from streamssl.data.events import Decoded, Message
from tests.strategies import first_decoded, slice_of

NAN = float("nan")
MEANINGS = {"NaN": None, "Infinity": 1e308, "-Infinity": -1e308}


def decode(
    *values: Any, fields: Any = ("a", "b"), texts: Any = (), required: bool = False, **config: Any
) -> Decoded:
    """Decode messages, given as bytes or as what JSON makes of a value."""
    decoder = JsonDecoder(
        topic="in", fields=fields, texts=texts, input=InputConfig(**config), required=required
    )
    items = [
        Message(0, at, None, v if isinstance(v, bytes) else json.dumps(v).encode(), 1)
        for at, v in enumerate(values)
    ]
    return first_decoded(decoder, slice_of(items))


def letters(decoded: Decoded) -> list[tuple[int, str]]:
    """Offset and reason of each dead letter."""
    return [(letter.message.offset, letter.reason) for letter in decoded.dead_letters]


def test_a_nan_literal_is_a_missing_value() -> None:
    """What Python's writer makes of NaN is missing, as null is; in texts it is text."""
    decoded = decode({"a": 1.5, "b": NAN, "s": "NaN"}, {"a": NAN, "b": 2}, texts=("s",))
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1.5, NAN], [NAN, 2]])
    assert decoded.batch.texts is not None
    assert decoded.batch.texts.column("s").to_pylist() == ["NaN", None]
    assert not decoded.dead_letters
    assert letters(decode({"a": NAN, "b": 1}, required=True)) == [(0, "missing_field")]


@pytest.mark.parametrize("number", [b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"1e39"])
def test_an_infinite_number_names_its_field(number: bytes) -> None:
    """However it is written, a number that float32 cannot hold is refused by its field's name."""
    decoded = decode(b'{"a":1,"b":%s}' % number, {"a": 1, "b": 2})
    assert letters(decoded) == [(0, "not_finite")]
    assert "'b'" in decoded.dead_letters[0].detail


def test_a_schema_registrys_frame_is_read_past(caplog: pytest.LogCaptureFixture) -> None:
    """JSON behind byte 0 and a schema's id is read, and the log says so once."""
    frame = b"\0\0\0\x01\x07"
    with caplog.at_level(logging.INFO):
        decoded = decode(*[frame + b'{"a":%d,"b":NaN}' % i for i in range(3)], b'{"a":9}')
    assert decoded.batch.values_BC[:, 0].tolist() == [0, 1, 2, 9]
    assert [r for r in caplog.records if "schema registry" in r.getMessage()][1:] == []
    assert caplog.records


def test_a_frame_among_others_is_told_too(caplog: pytest.LogCaptureFixture) -> None:
    """Message 150 of 300 has the first frame: it is read, and warned of once."""
    frame = b"\0\0\0\x01\x07"
    values = [b'{"a":%d}' % i for i in range(300)]
    values[150:152] = [frame + value for value in values[150:152]]
    with caplog.at_level(logging.INFO):
        decoded = decode(*values)
    assert decoded.batch.values_BC[:, 0].tolist() == list(range(300))
    (line,) = [r for r in caplog.records if vars(r).get("event") == "framed"]
    assert vars(line)["schema_id"] == 263


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (b" \n", "blanks alone"),
        (b"eyJhIjoxfQ==", "Base64"),
        (b"\x1f\x8b\x08\x00", "gzip: have the producer write JSON"),
        (b"<a>1</a>", "XML"),
        (b'{"a": 1, "name": "\\ud83d"}', "half a surrogate pair"),
        (b'{"a": 1, "name": "\\ude00\\ud83d"}', "half a surrogate pair"),
    ],
)
def test_what_is_no_json_is_named(value: bytes, told: str) -> None:
    """The detail says what the bytes look like and what to do about it."""
    (letter,) = decode(value).dead_letters
    assert letter.reason == "bad_json"
    assert told in letter.detail


def test_a_whole_surrogate_pair_is_no_reason() -> None:
    """Such text is read, and a fault beside it is told as itself."""
    assert len(decode(b'{"a": 1, "name": "\\ud83d\\ude00"}').batch) == 1
    (letter,) = decode(b'{"a": 1, "name": "\\ud83d\\ude00",}').dead_letters
    assert "surrogate" not in letter.detail


def test_a_frame_around_something_else_is_named() -> None:
    """Avro behind a frame is a dead letter that says what it is."""
    decoded = decode(b"\0\0\0\x01\x07\x02\x0aabcde")
    assert letters(decoded) == [(0, "bad_json")]
    assert "schema registry (byte 0, schema id 263)" in decoded.dead_letters[0].detail


BAD: list[tuple[Any, str]] = [
    ("1.5", "wrong_type"),
    ({"x": 1}, "wrong_type"),
    ([1], "wrong_type"),
    (float("inf"), "not_finite"),
    (1e39, "not_finite"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_by_choice_only_the_bad_field_is_missing(bad: Any, reason: str) -> None:
    """The event is scored without it, and it is counted by reason; by default it is refused."""
    rows = [{"a": 1, "b": bad}, {"a": bad, "b": bad}, {"a": 2, "b": 3}]
    assert letters(decode(*rows)) == [(0, reason), (1, reason)]
    decoded = decode(*rows, on_bad_field="missing")
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1, NAN], [NAN, NAN], [2, 3]])
    assert not decoded.dead_letters
    found = [(bad.offset, bad.reason, bad.num_fields) for bad in decoded.bad_fields]
    assert found == [(0, reason, 1), (1, reason, 2)]
    assert "'b'" in decoded.bad_fields[0].detail


def test_all_fields_required_means_that_a_bad_one_is_refused() -> None:
    """An event that must have every field is not scored without one."""
    decoded = decode({"a": 1, "b": "x"}, required=True, on_bad_field="missing")
    assert letters(decoded) == [(0, "wrong_type")]


def test_numbers_as_text_are_read_by_choice() -> None:
    """Text is a number where it is one, missing where it says so, else a bad field."""
    rows = [{"a": "1.5", "b": " -2e3 "}, {"a": "NaN", "b": ""}, {"a": 3, "b": True}, {"a": "x"}]
    assert [row for row, _ in letters(decode(*rows))] == [0, 1, 3]
    decoded = decode(*rows, numbers_as_text=True)
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1.5, -2000], [NAN, NAN], [3, 1]])
    assert letters(decoded) == [(3, "wrong_type")]
    both = decode(*rows, numbers_as_text=True, on_bad_field="missing")
    np.testing.assert_array_equal(both.batch.values_BC[3], [NAN, NAN])
    assert decode({"a": "1", "b": 2}, fields="auto", numbers_as_text=True).batch.fields == (
        "a",
        "b",
    )


def test_arrays_are_as_tolerant() -> None:
    """The same choices hold of the elements of an array."""
    rows = [{"v": [1, "2"]}, {"v": [{"x": 1}, 4]}, {"v": [5]}]
    config: Any = {"fields": ("v[0]", "v[1]"), "values_field": "v"}
    decoded = decode(*rows, **config, numbers_as_text=True, on_bad_field="missing")
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1, 2], [NAN, 4]])
    assert letters(decoded) == [(2, "wrong_count")]


@pytest.mark.parametrize("on_bad_field", ["reject", "missing"])
def test_a_name_with_dots_is_a_path(on_bad_field: str) -> None:
    """`sensors.rpm` is the field of that name, or else `rpm` in `sensors`; for all fields alike."""
    rows: list[Any] = [
        {"sensors": {"rpm": 1, "deep": {"t": 2}}, "meta": {"ts": 10, "id": "m1", "s": "x"}},
        {"sensors.rpm": 3, "sensors": {"rpm": 4}, "meta": {"ts": 11, "id": 7, "s": 1.50}},
        {"sensors": {"deep": None}, "meta": {"ts": 12, "id": "m1"}},
        {"sensors": None, "meta.ts": 13, "meta": {"id": "m1"}},
        {"sensors": {"rpm": 5}, "meta": {"id": "m1"}},
        {"other": 1, "meta": {"ts": 15, "id": "m1"}},
    ]
    decoded = decode(
        *rows,
        fields=("sensors.rpm", "sensors.deep.t"),
        texts=("meta.s",),
        time_field="meta.ts",
        key_field="meta.id",
        on_bad_field=on_bad_field,
    )
    np.testing.assert_array_equal(decoded.batch.values_BC[:3], [[1, 2], [3, NAN], [NAN, NAN]])
    assert decoded.batch.event_time.tolist() == [10, 11, 12, 13][: len(decoded.batch)]
    assert decoded.batch.keys.to_pylist()[:3] == ["m1", "7", "m1"]
    assert decoded.batch.texts is not None
    assert decoded.batch.texts.column("meta.s").to_pylist()[:3] == ["x", "1.5", None]
    assert letters(decoded)[-2:] == [(4, "missing_field"), (5, "missing_field")]


def test_what_is_no_object_on_a_path_is_a_bad_field() -> None:
    """It costs the event, or by choice only the fields in it."""
    row = {"s": 5, "a": 1}
    assert letters(decode(row, fields=("s.x", "a"))) == [(0, "wrong_type")]
    decoded = decode(row, fields=("s.x", "a"), on_bad_field="missing")
    np.testing.assert_array_equal(decoded.batch.values_BC, [[NAN, 1]])
    assert decoded.bad_fields[0].num_fields == 1


def test_a_field_may_be_the_beginning_of_anothers_name() -> None:
    """`cpu` and `cpu.user` are two flat fields, as some producers name them."""
    decoded = decode({"cpu": 1, "cpu.user": 2}, fields=("cpu", "cpu.user"))
    assert decoded.batch.values_BC.tolist() == [[1, 2]]


def test_required_paths() -> None:
    """With every field required, a path that leads nowhere is a missing field."""
    decoded = decode({"s": {"x": 1}}, {"s": {}}, {"s.x": 2}, fields=("s.x",), required=True)
    assert decoded.batch.values_BC.tolist() == [[1], [2]]
    assert letters(decoded) == [(1, "missing_field")]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": "1.5"}, "field 'a' is text: input.numbers_as_text"),
        ({"a": {"x": 1}}, "modality.fields may name what it holds, such as a.x"),
        ({"a": [1]}, "field 'a' is an array: input.on_bad_field: missing"),
        ({"x": {"y": {"z": 1}}}, "name them in modality.fields: x.y.z"),
        ({"x": "1.5"}, "'x' is text (input.numbers_as_text"),
    ],
)
def test_a_dead_letter_names_the_way_out(value: Any, words: str) -> None:
    """The detail says which field is what, and the setting that mends it."""
    assert words in decode(value).dead_letters[0].detail


@given(st.binary(max_size=40) | st.text(alphabet='{}"\\,:NaInfity-19e+. ').map(str.encode))
def test_mending_never_makes_something_of_nothing(value: bytes) -> None:
    """What is JSON already means the same after, and strings are left alone."""
    try:
        meaning = json.loads(value, parse_constant=MEANINGS.get, parse_float=_bounded)
    except ValueError:
        return
    if value[:1] != b"\0":
        assert json.loads(mended(value)) == meaning


def _bounded(text: str) -> float:
    return max(min(float(text), 1e308), -1e308) if math.isinf(float(text)) else float(text)


def test_a_long_open_string_takes_no_time() -> None:
    """A message that is never closed is looked at once: no text makes the mending quadratic."""
    assert mended(b'{"a": NaN, "' + b'\\"' * 400_000).startswith(b'{"a": null, "')
