"""Readers of files: every row of the file once, in order, whatever its shape."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import MARKS, ORIGINAL, UNREADABLE, Message
from streamssl.transport.files import blocks
from streamssl.transport.files.blocks import TextSource, end_of_lines
from streamssl.transport.files.csv_reader import CsvReader, parse_block
from streamssl.transport.files.formats import open_reader
from streamssl.transport.files.json_reader import MAX_ROWS, JsonLinesReader
from streamssl.transport.files.parquet_reader import ParquetReader
from streamssl.transport.files.rows import InputFileError, Reader, unique_names, untyped_schema

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6)


def rows_of(reader: Reader) -> list[dict[str, Any]]:
    """All rows, without the marks where these say nothing."""
    rows = [
        row
        for batch in reader.batches()
        if isinstance(batch, pa.RecordBatch)
        for row in batch.to_pylist()
    ]
    return [{k: v for k, v in row.items() if v is not None or k not in MARKS} for row in rows]


def read_csv(folder: Path, content: str | bytes) -> list[dict[str, Any]]:
    path = folder / "input.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return rows_of(CsvReader(path))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n1,2\n", [{"a": "1", "b": "2"}]),
        ("a,b\r\n1,2\r\n", [{"a": "1", "b": "2"}]),
        ("a,b\r1,2\r", [{"a": "1", "b": "2"}]),
        ("\ufeffa,b\n1,2", [{"a": "1", "b": "2"}]),
        ("\n\na,b\n\n1,2\n\n\n", [{"a": "1", "b": "2"}]),
        ("\n\n1.5;", [{"column_0": "1.5", "column_1": ""}]),
        ("a;b\n1,5;2\n", [{"a": "1,5", "b": "2"}]),
        ("a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        ('"a,b",c\n1,2\n', [{"a,b": "1", "c": "2"}]),
        ('"a\nb",c\n1,2\n', [{"a\nb": "1", "c": "2"}]),
        ("a,a,,a\n1,2,3,4\n", [{"a": "1", "a.1": "2", "column_2": "3", "a.2": "4"}]),
        ("größe,温度\n1,2\n", [{"größe": "1", "温度": "2"}]),
        ('a,b\n"x\ny",2\n3,4\n', [{"a": "x\ny", "b": "2"}, {"a": "3", "b": "4"}]),
        ('a\n1\n""\n3\n', [{"a": "1"}, {"a": ""}, {"a": "3"}]),
        ("a\n1\n", [{"a": "1"}]),
        ("a,b\n", []),
        ("", []),
    ],
)
def test_csv_of_any_make_is_read(tmp_path: Path, content: str, rows: list[dict[str, str]]) -> None:
    """Separators, line ends, marks, quotes and headers are found out; blank lines are no rows."""
    assert read_csv(tmp_path, content) == rows


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("0.5,-1,3", ["column_0", "column_1", "column_2"]),  # data: no header
        ("0,1,2", ["column_0", "column_1", "column_2"]),  # counts as the next line does
        ("400.5,401.0,401.5", ["400.5", "401.0", "401.5"]),  # such as wavelengths
        ("a,1.5,2", ["a", "1.5", "2"]),
        ("9,4,7", ["column_0", "column_1", "column_2"]),
    ],
)
def test_a_first_line_that_is_data_is_no_header(
    tmp_path: Path, first: str, names: list[str]
) -> None:
    """A file without a header loses no row to it."""
    rows = read_csv(tmp_path, f"{first}\n1,2,3\n")
    assert list(rows[0]) == names
    assert len(rows) == (2 if names[0] == "column_0" else 1)


def test_broken_rows_are_marked_and_their_neighbours_are_not(tmp_path: Path) -> None:
    """Too few or too many cells, bytes that are no UTF-8, and a quotation mark gone astray."""
    content = b'a,\xc3\xa9\n1,2\n3\n4,5,6\n7,\xff\n"8,9\n10,11\n12,13\n'
    rows = read_csv(tmp_path, content)
    assert [row.get("a") for row in rows] == ["1", None, None, None, None, "10", "12"]
    reasons = [row.get(UNREADABLE) for row in rows]
    assert reasons[1:4] == [
        "wrong_count: 1 cells instead of 2",
        "wrong_count: 3 cells instead of 2",
        "bad_csv: not UTF-8 (--encoding)",
    ]
    assert [row.get(ORIGINAL) for row in rows[1:5]] == [b"3", b"4,5,6", b"7,\xff", b'"8,9']


def test_a_cell_beyond_pythons_limit_marks_one_row(tmp_path: Path) -> None:
    """The csv module refuses cells above 128 KiB; that costs one row at most."""
    rows = read_csv(tmp_path, f"a,b\n1\n{'x' * 200_000},2\n3,4\n")
    assert [UNREADABLE in row for row in rows] == [True, True, False]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8), st.integers(1, 40))
def test_any_text_survives_csv(table: list[list[str]], num_bytes: int) -> None:
    """What Python's writer wrote is read back, however the file is cut into blocks."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerows(table)
    rows = []
    block = buffer.getvalue().encode()
    while block:
        cut = next(
            (
                c
                for n in range(num_bytes, len(block))
                if (c := end_of_lines(block[:n], quoted=True))
            ),
            len(block),
        )
        rows += parse_block(block[:cut], untyped_schema(["a", "b"]), ",").to_pylist()
        block = block[cut:]
    assert [[row["a"], row["b"]] for row in rows] == table
    assert all(row[UNREADABLE] is None for row in rows)


def test_blocks_hold_whole_lines(tmp_path: Path) -> None:
    """Together they are the file, and a line break between quotes ends none of them."""
    path = tmp_path / "input.csv"
    path.write_bytes(b'1,"a\nb"\n' * 50)
    with TextSource(path) as source:
        pieces = list(source.blocks(quoted=True, num_bytes=20))
    assert b"".join(pieces) == path.read_bytes()
    assert len(pieces) > 10
    assert all(piece.endswith(b'b"\n') for piece in pieces)


def test_a_quotation_never_closed_does_not_swallow_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past a bound quotes do not count: memory stays bounded, all other rows are read."""
    monkeypatch.setattr(blocks, "LONGEST_QUOTED_BYTES", 10_000)
    path = tmp_path / "input.csv"
    path.write_text('a,b\n1,"2\n' + "3,4\n" * 20_000)
    with TextSource(path) as source:
        assert max(map(len, source.blocks(quoted=True, num_bytes=1_000))) < 12_000
    rows = rows_of(CsvReader(path))
    assert [row["a"] for row in rows[1:]] == ["3"] * 20_000


def test_all_batches_of_a_file_have_one_schema(tmp_path: Path) -> None:
    """The engine joins batches to checksum them."""
    path = tmp_path / "input.csv"
    path.write_text("a,b\n" + "1,2\n" * 400_000 + "3\n")
    schemas = {str(batch.schema) for batch in CsvReader(path).batches()}
    assert len(schemas) == 1


def read_json(folder: Path, content: str | bytes) -> list[Message]:
    path = folder / "input.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [message for piece in JsonLinesReader(path).batches() for message in piece]


def test_lines_of_json_are_messages_as_they_are(tmp_path: Path) -> None:
    """Each line but blank ones, byte for byte; its offset and its time are the row's number."""
    content = b'{"b": 1.50}\r\n\n{bad\n\0\0\0\0\1{"a": NaN}\n' + b"{}\n" * MAX_ROWS
    read = read_json(tmp_path, content)
    assert [message.value for message in read[:3]] == [
        b'{"b": 1.50}',
        b"{bad",
        b'\0\0\0\0\1{"a": NaN}',
    ]
    assert [message.offset for message in read] == list(range(MAX_ROWS + 3))
    assert [message.timestamp_ms for message in read[:3]] == [0, 1_000, 2_000]
    assert {message.key for message in read} == {None}


def test_a_json_array_is_refused_with_the_remedy(tmp_path: Path) -> None:
    """A common confusion of formats is not a million dead letters."""
    with pytest.raises(InputFileError, match="jq"):
        read_json(tmp_path, json.dumps([{"a": 1}, {"a": 2}], indent=1))


def test_gzip_is_unpacked_by_its_suffix(tmp_path: Path) -> None:
    """CSV and JSON Lines may be packed; a damaged pack is an error, not a shorter stream."""
    path = tmp_path / "input.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n2\n"))
    assert rows_of(CsvReader(path)) == [{"a": "1"}, {"a": "2"}]
    path.write_bytes(gzip.compress(b"a\n" + b"1\n" * 1_000)[:-10])
    with pytest.raises(InputFileError, match="to its end"):
        rows_of(CsvReader(path))


def test_parquet_is_read_in_batches_with_plain_columns(tmp_path: Path) -> None:
    """Repeated names and dictionary columns are no obstacle."""
    path = tmp_path / "input.parquet"
    words = pa.array(["x", "y", "x"]).dictionary_encode()
    table = pa.table([pa.array([1, 2, 3]), pa.array([4, 5, 6]), words], ["a", "a", ""])
    pq.write_table(table, path, row_group_size=2)
    batches = list(ParquetReader(path).batches())
    assert batches[0].schema.names == ["a", "a.1", "column_2"]
    assert pa.Table.from_batches(batches).to_pylist()[2] == {"a": 3, "a.1": 6, "column_2": "x"}


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """A wrong suffix, or a damaged file, is told."""
    path = tmp_path / "input.parquet"
    path.write_text("a\n1\n")
    with pytest.raises(InputFileError, match="no Parquet file"):
        ParquetReader(path)


@given(st.lists(st.sampled_from(["a", "", " a", "a.1", "column_1", "b", "a.2"]), max_size=8))
def test_names_become_unique(names: list[str]) -> None:
    """No two columns share a name, none is empty, and unique ones stay."""
    unique = unique_names(names)
    assert len(set(unique)) == len(names)
    assert all(unique)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_named_like_the_marks_are_not_taken_for_them(tmp_path: Path, kind: str) -> None:
    """They are renamed; the rows stay readable."""
    path = tmp_path / f"input.{kind}"
    if kind == "parquet":
        pq.write_table(pa.table({UNREADABLE: [1], "b": [2]}), path)
    else:
        path.write_text(f"{UNREADABLE},b\n1,2\n")
    (row,) = rows_of(open_reader(path))
    assert UNREADABLE not in row
    assert str(row["b"]) == "2"
