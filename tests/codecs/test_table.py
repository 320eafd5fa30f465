"""Tables to events: which columns are channels, what cells mean, what becomes a dead letter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamssl.codecs.dead_letters import REASONS, OriginalBytesEncoder
from streamssl.codecs.fields import FieldNamesError
from streamssl.codecs.incidents import JsonIncidents
from streamssl.codecs.table import TableCodec, TableDecoder
from streamssl.codecs.table_fields import TableError, table_choice
from streamssl.config.sections import InputConfig
from streamssl.data.events import ORIGINAL, UNREADABLE, UNTYPED, Decoded, Schema, Slice

NAN = float("nan")


def untyped(**columns: Sequence[str | None]) -> pa.RecordBatch:
    """A batch as a reader of text gives it."""
    fields = [pa.field(name, pa.string(), metadata={UNTYPED: "csv"}) for name in columns]
    return pa.RecordBatch.from_arrays(
        [pa.array(column, pa.string()) for column in columns.values()], schema=pa.schema(fields)
    )


def typed(**columns: Any) -> pa.RecordBatch:
    """A batch as a reader of Parquet gives it."""
    return pa.RecordBatch.from_pydict(columns)


def decode(
    rows: pa.RecordBatch,
    *,
    fields: Literal["auto"] | Sequence[str] = "auto",
    start: int = 0,
    required: bool = False,
    **config: Any,
) -> Decoded:
    """Decide the channels and decode, as a replay does."""
    settings = InputConfig(**config)
    schema = table_choice([rows], input=settings, fields=fields).schema
    assert schema is not None
    decoder = TableDecoder(topic="file", schema=schema, input=settings, required=required)
    return decoder.decode(Slice(0, 1, start, start + rows.num_rows, rows), None)


def reasons(decoded: Decoded) -> dict[int, str]:
    """Row -> reason of the dead letters."""
    return {letter.message.offset: letter.reason for letter in decoded.dead_letters}


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "-2.5", "+3", ".5", "5.", "1e3", "0012"], [1, -2.5, 3, 0.5, 5, 1000, 12]),
        (["1", "", "nan", "NaN", "NA", "null", "None", "N/A"], [1] + [NAN] * 7),
        (["True", "false", "TRUE", "0"], [1, 0, 1, 0]),
        ([" 1 ", "\t2", "3 ", "  "], [1, 2, 3, NAN]),
        (["1", "2.5", "3"], [1, 2.5, 3]),
    ],
)
def test_cells_of_text_files_are_numbers(cells: list[str], values: list[float]) -> None:
    """Integers, floats and booleans mix freely in a column; empty cells are missing."""
    decoded = decode(untyped(a=cells))
    np.testing.assert_array_equal(decoded.batch.values_BC[:, 0], np.array(values, np.float64))
    assert not decoded.dead_letters


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("abc", "wrong_type"),
        ("1,5", "wrong_type"),
        ("0x1f", "wrong_type"),
        ("1_000", "wrong_type"),
        ("inf", "not_finite"),
        ("-Infinity", "not_finite"),
        ("1e400", "not_finite"),
        ("1e39", "not_finite"),
    ],
)
def test_a_cell_that_is_no_number_costs_its_row(bad: str, reason: str) -> None:
    """The row becomes a dead letter that shows the whole row; its neighbours are untouched."""
    decoded = decode(untyped(a=["1", bad, "3"], name=["x", "y", "z"]), start=10)
    assert decoded.batch.offset.tolist() == [10, 12]
    assert decoded.batch.values_BC.tolist() == [[1.0], [3.0]]
    (letter,) = decoded.dead_letters
    assert (letter.message.offset, letter.reason) == (11, reason)
    assert letter.reason in REASONS
    assert bad in letter.detail
    assert json.loads(letter.message.value or b"") == {"a": bad, "name": "y"}


def test_typed_columns_of_any_width_are_numbers() -> None:
    """Integers, floats, decimals and booleans; nulls and NaN are missing, text is no channel."""
    rows = typed(
        a=pa.array([1, None], pa.uint64()),
        b=pa.array([1.5, NAN], pa.float32()),
        c=pa.array([True, False]),
        d=pa.array([Decimal("2.50"), None]),
        e=pa.array([np.float16(0.5), None], pa.float16()),
        f=pa.array(["1", "2"]),
        g=pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * 2),
        h=pa.array([[1.0], [2.0]]),
        i=pa.array([None, None]),
        __index_level_0__=pa.array([0, 1]),
    )
    decoded = decode(rows)
    assert decoded.batch.fields == ("a", "b", "c", "d", "e")
    np.testing.assert_array_equal(
        decoded.batch.values_BC, np.array([[1, 1.5, 1, 2.5, 0.5], [NAN, NAN, 0, NAN, NAN]])
    )


def test_a_table_of_floats_is_read_at_once_with_the_same_values() -> None:
    """Nulls, NaN, values beyond float32 and slices give what the columns give one by one."""
    wide = pa.array([1.5, None, float("nan"), 1e300, -2.0])
    single = pa.array([1.0, 2.0, 3.0, 4.0, float("inf")], pa.float32())
    floats = decode(typed(a=wide, b=single).slice(1))
    mixed = decode(typed(a=wide, b=single, n=pa.array([0, 1, 2, 3, 4])).slice(1))
    np.testing.assert_array_equal(floats.batch.values_BC, mixed.batch.values_BC[:, :2])
    assert reasons(floats) == reasons(mixed) == {2: "not_finite", 3: "not_finite"}


def test_text_of_typed_columns_is_never_a_channel() -> None:
    """A string is a string, even where it looks like a number."""
    assert decode(typed(a=[1.0], b=["2"])).batch.fields == ("a",)


def test_a_column_is_numeric_if_most_of_its_cells_are() -> None:
    """Decided from the first rows, in which empty cells do not count."""
    rows = untyped(
        mostly=["1", "2", "x"], half=["1", "x", ""], text=["x", "", ""], empty=["", "", ""]
    )
    assert decode(rows).batch.fields == ("mostly",)


def test_a_column_that_is_empty_at_first_is_decided_by_its_first_cells() -> None:
    """A sensor that starts late is a channel; a comment that starts late is none."""
    early = untyped(a=["1"] * 5, late=[""] * 5, comment=[""] * 5)
    late = untyped(a=["1"], late=["2"], comment=["hello"])
    choice = table_choice([early, early, late], input=InputConfig(), sample_rows=6)
    assert choice.schema == Schema(("a", "late"))
    assert [(name, reason) for name, reason, _ in choice.left_out] == [("comment", "text")]


def test_the_decision_does_not_wait_for_more_than_it_needs() -> None:
    """A file is not read to its end to find out what its columns are."""
    batches = iter([untyped(a=["1"] * 5)] * 10)
    assert table_choice(batches, input=InputConfig(), sample_rows=10).schema == Schema(("a",))
    assert len(list(batches)) == 8


def test_ignored_and_special_columns_are_no_channels() -> None:
    """Globs name what is left out; time and key are none either."""
    rows = untyped(t=["1"], k=["2"], a=["3"], eval_x=["4"], eval_y=["5"], b=["6"])
    decoded = decode(rows, time_field="t", key_field="k", ignore_fields=["eval_*", "b"])
    assert decoded.batch.fields == ("a",)
    assert decoded.batch.event_time.tolist() == [1.0]
    assert decoded.batch.keys.to_pylist() == ["2"]


@pytest.mark.parametrize(
    ("config", "fields"), [({"time_field": "x"}, "auto"), ({"key_field": "x"}, "auto"), ({}, ["x"])]
)
def test_a_named_column_that_is_missing_is_an_error(config: dict[str, Any], fields: Any) -> None:
    """The error lists what there is."""
    with pytest.raises(TableError, match=r"no column 'x'; the columns are 'a', 'b'") as missing:
        decode(untyped(a=["1"], b=["2"]), fields=fields, **config)
    assert missing.value.exit_code == 2


def test_a_table_without_numbers_is_an_error() -> None:
    """Nothing could be learned from it; a named column of text likewise."""
    with pytest.raises(TableError, match="no column holds numbers; the columns are 'a', 'b'"):
        decode(untyped(a=["x"], b=[""]))
    with pytest.raises(TableError, match="'a' holds text"):
        decode(untyped(a=["x"], b=["1"]), fields=["a"])
    with pytest.raises(TableError, match="values_field"):
        decode(untyped(a=["1"]), values_field="a")
    with pytest.raises(FieldNamesError):
        decode(untyped(a=["1"]), fields=["a"], time_field="a")


def test_a_table_of_nothing_but_missing_values_is_no_error() -> None:
    """Every column may begin to hold numbers later; beside one of text it cannot be told."""
    decoded = decode(untyped(a=["", "NaN"], b=["", ""]))
    assert decoded.batch.fields == ("a", "b")
    assert np.isnan(decoded.batch.values_BC).all()


def test_an_empty_column_is_no_channel_whatever_its_type() -> None:
    """CSV and Parquet of the same rows have the same channels; what begins late is one."""
    assert decode(untyped(a=["1", "2"], b=["", ""])).batch.fields == ("a",)
    empty = pa.array([None, NAN], pa.float64())
    assert decode(typed(a=[1, 2], b=empty)).batch.fields == ("a",)
    assert decode(typed(a=["x", "y"], b=empty)).batch.fields == ("b",)
    assert decode(typed(a=[1, 2], b=pa.array([None, 5.0]))).batch.fields == ("a", "b")


def test_a_table_without_a_readable_row_is_an_error() -> None:
    """It says what is wrong with the first, not that columns lack numbers."""
    marks = pa.array(["wrong_count: 4 cells instead of 1"] * 2)
    with pytest.raises(TableError, match="none of the first 2 rows can be read: wrong_count: 4"):
        decode(untyped(a=[None, None]).append_column(UNREADABLE, marks))


def test_a_table_without_rows_is_no_error() -> None:
    """No rows are no events, whatever the columns hold."""
    decoded = decode(untyped(a=[], b=[]))
    assert len(decoded.batch) == 0
    assert table_choice([], input=InputConfig()).schema == Schema(())


@pytest.mark.parametrize(
    ("column", "seconds"),
    [
        (untyped(t=["1.5", "1600000000000"]), [1.5, 1.6e9]),
        (untyped(t=["2020-01-01", "2020-01-02"]), [1577836800, 1577923200]),
        (untyped(t=["2020-01-01 00:00:01.5", "2020-01-01T00:00:02"]), [1577836801.5, 1577836802]),
        (untyped(t=["2020-01-01T01:00:00+01:00", "2020-01-01T00:00:00Z"]), [1577836800] * 2),
        (untyped(t=["2020-01-01T00:00:00Z", "2020-01-01T00:00:00"]), [1577836800] * 2),
        (typed(t=["2020-01-01T00:00:00.123456789", "2020-01-01"]), [1577836800.123456, 1577836800]),
        (typed(t=pa.array([1_600_000_000_000, 7], pa.int64())), [1.6e9, 7]),
        (typed(t=pa.array([1_500, 7_000], pa.timestamp("ms"))), [1.5, 7]),
        (typed(t=pa.array([1_500, 7_000], pa.timestamp("ns", "Europe/Paris"))), [1.5e-6, 7e-6]),
        (typed(t=pa.array([1, 2], pa.date32())), [86_400, 172_800]),
        (untyped(t=["1772352000123456", "1772352000123456789"]), [1772352000.123456] * 2),
        (typed(t=[1772352000123456, 1772352000123456789]), [1772352000.123456] * 2),
        (untyped(t=["20260301080000", "20260301080001"]), [1772352000, 1772352001]),
        (typed(t=[20260301080000, 20260301080001]), [1772352000, 1772352001]),
    ],
)
def test_times_of_every_make_are_seconds(column: pa.RecordBatch, seconds: list[float]) -> None:
    """Numbers, ISO 8601 with and without zone, and Arrow's own types."""
    rows = column.append_column("a", pa.array([1.0, 2.0]))
    decoded = decode(rows, time_field="t")
    np.testing.assert_allclose(decoded.batch.event_time, seconds, rtol=0, atol=1e-6)


def test_a_time_that_cannot_be_read_costs_its_row() -> None:
    """Missing, unreadable and impossible times; the others of the column stay."""
    times = ["2020-01-01", "", "yesterday", "1e300", "5"]
    decoded = decode(untyped(t=times, a=["1"] * 5), time_field="t")
    assert reasons(decoded) == {1: "bad_time", 2: "bad_time", 3: "bad_time"}
    assert [letter.detail[:22] for letter in decoded.dead_letters[1:2]] == [
        "'t' holds 'yesterday',"
    ]
    assert decoded.batch.event_time.tolist() == [1577836800, 5]


def test_a_column_without_any_time_is_an_error() -> None:
    """A format that is not known is told at once, not row by row."""
    with pytest.raises(TableError, match="'t' holds no time"):
        decode(untyped(t=["01/02/2020 10:00"], a=["1"]), time_field="t")


def test_without_a_time_column_the_row_number_is_the_time() -> None:
    """Also behind the first slice."""
    assert decode(untyped(a=["1", "2"]), start=7).batch.event_time.tolist() == [7.0, 8.0]


@pytest.mark.parametrize(
    ("column", "keys"),
    [
        (untyped(k=["x", "7"]), ["x", "7"]),
        (untyped(k=["x", None]), ["x", ""]),
        (typed(k=[1, None]), ["1", ""]),
        (typed(k=[b"x", None]), ["x", ""]),
        (typed(k=[b"\xff", b"x"]), ["b'\\xff'", "b'x'"]),
        (typed(k=[[1], None]), ["[1]", ""]),
        (typed(k=pa.array([1, 2], pa.duration("s"))), ["1", "2"]),
    ],
)
def test_keys_are_text(column: pa.RecordBatch, keys: list[str]) -> None:
    """Whatever type the column has; no key is the empty one."""
    rows = column.append_column("a", pa.array([1.0, 2.0]))
    assert decode(rows, key_field="k").batch.keys.to_pylist() == keys


def test_a_key_beyond_the_limit_costs_its_row() -> None:
    """As on Kafka."""
    rows = untyped(k=["x" * 9, "y"], a=["1", "2"])
    decoded = decode(rows, key_field="k", max_key_bytes=8)
    assert reasons(decoded) == {0: "bad_key"}


def test_required_channels_may_not_be_missing() -> None:
    """`modality.required` rejects rows that lack one."""
    decoded = decode(untyped(a=["1", ""], b=["1", "2"]), required=True)
    assert reasons(decoded) == {1: "missing_field"}


def test_rows_that_the_reader_could_not_read_keep_their_bytes() -> None:
    """Their reason and original travel into the dead letter, past anything else in the row."""
    rows = untyped(a=["1", None, "3"])
    rows = rows.append_column(UNREADABLE, pa.array([None, "bad_csv: not: UTF-8", None]))
    rows = rows.append_column(ORIGINAL, pa.array([None, b"\xff,1", None], pa.binary()))
    decoded = decode(rows, required=True)
    (letter,) = decoded.dead_letters
    assert (letter.reason, letter.detail) == ("bad_csv", "not: UTF-8")
    assert letter.message.value == b"\xff,1"
    assert decoded.batch.values_BC.tolist() == [[1.0], [3.0]]


def test_the_codec_writes_dead_letters_only() -> None:
    """Results of a file travel as columns."""
    decoded = decode(untyped(a=["1", "x", "2"]))
    decoder = TableDecoder(topic="file", schema=Schema(("a",)), input=InputConfig())
    codec = TableCodec(
        decoder, OriginalBytesEncoder(topic="file"), JsonIncidents(name="app", version="1")
    )
    (record,) = codec.encode(None, decoded.dead_letters)
    assert (record.topic, record.value) == ("dlq", b'{"a": "x"}')
    assert codec.decoder is decoder


NUMBERS = st.one_of(
    st.none(), st.floats(allow_nan=False, width=32, allow_infinity=False), st.integers(-99, 99)
)


@given(st.lists(st.lists(NUMBERS, min_size=2, max_size=2), min_size=1, max_size=20), st.data())
def test_any_cut_of_the_rows_decodes_to_the_same(
    table: list[list[float | None]], data: st.DataObject
) -> None:
    """What one row becomes never depends on how polls cut the file."""
    cells = [[None if cell is None else repr(cell) for cell in column] for column in zip(*table)]  # noqa: B905
    rows = untyped(a=cells[0], b=cells[1])
    decoder = TableDecoder(topic="file", schema=Schema(("a", "b")), input=InputConfig())
    whole = decoder.decode(Slice(0, 1, 0, len(table), rows), None).batch
    cut = data.draw(st.integers(0, len(table)))
    head = decoder.decode(Slice(0, 1, 0, cut, rows.slice(0, cut)), None).batch
    rest = decoder.decode(Slice(0, 1, cut, len(table), rows.slice(cut)), None).batch
    np.testing.assert_array_equal(whole.values_BC, np.concatenate([head.values_BC, rest.values_BC]))
    assert whole.ids() == head.ids() + rest.ids()
    expected = np.array([[NAN if c is None else c for c in row] for row in table], np.float64)
    np.testing.assert_array_equal(whole.values_BC, expected)
