"""How a CSV file is written is said, or found out and told; every row is read once."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from streamssl.codecs.cells import numbers, seconds
from streamssl.data.events import FloatArray
from streamssl.transport.files.csv_layout import CsvLayout, find_layout
from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.csv_reader import CsvReader
from streamssl.transport.files.formats import check_input
from streamssl.transport.files.rows import InputFileError

PICK = random.Random(5)
VALUES = [round(PICK.uniform(5_000, 9_000), 2) for _ in range(60)]


def layout(text: str, **options: object) -> CsvLayout:
    return find_layout(text.encode(), CsvOptions(**options))  # type: ignore[arg-type]


def column(folder: Path, content: str | bytes, place: int, **options: object) -> FloatArray:
    """The numbers of one column, as the decoder reads them."""
    path = folder / "input.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    reader = CsvReader(path, CsvOptions(**options))  # type: ignore[arg-type]
    (batch,) = list(reader.batches())
    return numbers(batch.column(place), batch.schema.field(place))[0]


def grouped(value: float, thousands: str, decimal: str) -> str:
    return f"{value:,.2f}".translate({ord(","): thousands, ord("."): decimal})


@pytest.mark.parametrize("header", ["zeit;druck\n", ""])
@pytest.mark.parametrize(
    ("thousands", "decimal"), [("", ","), (".", ","), (" ", ","), (",", "."), ("'", ".")]
)
def test_numbers_are_read_however_they_are_written(
    tmp_path: Path, thousands: str, decimal: str, header: str
) -> None:
    """Decimal commas and groups of thousands are found out by the first rows, and told."""
    rows = (f"{i};{grouped(v, thousands, decimal)}\n" for i, v in enumerate(VALUES))
    text = header + "".join(rows)
    np.testing.assert_array_equal(column(tmp_path, text, 1), VALUES)
    notes = " / ".join(layout(text).notes)
    assert ("commas before decimals" in notes) == (decimal == ",")
    assert ("between thousands" in notes) == bool(thousands)
    assert ("no header" in notes) == (not header)


def test_a_point_and_a_comma_are_told_apart_by_other_columns() -> None:
    """`6,123` alone may be either; the file's other numbers, or its separator, say which."""
    american = layout("a,b\n" + '1.5,"6,123"\n' * 9)
    assert american.written[1].thousands == ","
    german = layout("a;b\n" + "1,5;6,123\n" * 9)
    assert (german.written[1].decimal, german.written[1].thousands) == (",", "")
    assert layout("a;b\n" + "1;6,123\n" * 9).written[1].decimal == ","


def test_whole_numbers_among_decimal_commas(tmp_path: Path) -> None:
    """A column of which most numbers are whole has decimal commas all the same."""
    cells = ["3", "4", "5", "2,5"] * 10
    text = "t;x\n" + "".join(f"{i};{cell}\n" for i, cell in enumerate(cells))
    assert column(tmp_path, text, 1).tolist() == [3, 4, 5, 2.5] * 10


@pytest.mark.parametrize("unit", ["bar", "°C", "%", "m³/h", "V"])
def test_a_unit_behind_every_number_is_cut_off_and_told(tmp_path: Path, unit: str) -> None:
    """One unit for the whole column; a cell with another one is no number."""
    cells = [f"{value / 1e3:.1f} {unit}" for value in VALUES]
    text = "t,p\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate([*cells, "7.0 psi"]))
    read = column(tmp_path, text, 1)
    np.testing.assert_array_equal(read[:-1], [round(v / 1e3, 1) for v in VALUES])
    assert np.isnan(read[-1])
    assert f"the unit {unit!r} behind the numbers of p" in layout(text).notes


def test_words_of_different_endings_are_no_numbers_with_units() -> None:
    """Ids and mixed units stay text."""
    assert layout("a,b\n" + "1A,5 bar\n2B,6 psi\n3C,7 kPa\n" * 3).written[0].unit == ""
    assert layout("a,b\n" + "1A,5 bar\n2B,6 psi\n3C,7 kPa\n" * 3).written[1].unit == ""


@pytest.mark.parametrize(
    ("rows", "has_header"),
    [
        (["machine,rpm", "m1,5", "m2,6"], True),
        (["m1,5,x", "m2,6,y", "m3,7,x"], False),
        (["7,1,4", "5,9,2", "6,3,3"], False),
        (["0,1,2", ".5,.25,.3", ".1,.2,.4"], True),
        (["400,410,420", ".5,.25,.3", ".1,.2,.4"], True),
        (["2026-03-01 08:00:00,5", "2026-03-01 08:00:01,7"], False),
        (["time,value", "2026-03-01 08:00:00,5", "2026-03-01 08:00:01,7"], True),
        (["name,city", "x,Rome", "y,Oslo"], True),
        (["NA,5", "3,7", "4,8"], False),
        (["5", "3", "4"], False),
        (["x", "3", "4"], True),
    ],
)
def test_the_first_line_is_data_where_it_is_as_the_others(
    rows: list[str], *, has_header: bool
) -> None:
    """Names are no numbers where numbers follow, or numbers unlike those below them."""
    text = "\n".join(rows) + "\n"
    assert layout(text).has_header is has_header
    assert layout(text, header=not has_header).has_header is not has_header


def test_as_many_rows_come_out_as_went_in(tmp_path: Path) -> None:
    """A table of integers without a header loses no row."""
    text = "".join(f"{PICK.randrange(99)},{PICK.randrange(99)}\n" for _ in range(700))
    assert len(column(tmp_path, text, 0)) == 700
    assert len(column(tmp_path, text, 0, header=True)) == 699


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8", "utf-8-sig"])
def test_the_encoding_is_found_and_told(tmp_path: Path, encoding: str) -> None:
    """Names and cells are as they were written; what is not UTF-8 is named."""
    path = tmp_path / "input.csv"
    path.write_bytes("Größe,Ort\n1,Köln\n2,Zürich\n".encode(encoding))
    reader = CsvReader(path)
    (batch,) = list(reader.batches())
    assert batch.schema.names[:2] == ["Größe", "Ort"]
    assert batch.column(1).to_pylist() == ["Köln", "Zürich"]
    assert bool(reader.notes) == (not encoding.startswith("utf-8"))


def test_words_for_missing_values_are_said(tmp_path: Path) -> None:
    """Some are known, others are given; they count in columns of any shape."""
    text = "t;x\n1;1,5\n2;-\n3;-999\n4;void\n" + "5;2,5\n" * 9
    read = column(tmp_path, text, 1, na_values=("-999", "void"))
    np.testing.assert_array_equal(read[:5], [1.5, np.nan, np.nan, np.nan, 2.5])


@pytest.mark.parametrize(
    ("cell", "date_format", "is_found"),
    [
        ("01.03.2026 08:00:00", "%d.%m.%Y %H:%M:%S", True),
        ("2026/03/01 08:00", "%Y/%m/%d %H:%M", True),
        ("01.03.2026 08:00:00.000", "%d.%m.%Y %H:%M:%S.%f", True),
        ("1 Mar 2026 08:00", "%d %b %Y %H:%M", True),
        ("01-Mar-2026 08:00:00 AM", "%d-%b-%Y %I:%M:%S %p", True),
        ("2026-03-01 08:00:00 UTC", "%Y-%m-%d %H:%M:%S UTC", True),
        ("2026-03-01T08:00:00Z", "%Y-%m-%dT%H:%M:%SZ", True),
        ("03/01/2026 08:00:00", "%m/%d/%Y %H:%M:%S", False),
        ("03/01/2026 08:00:00 +0000", "%m/%d/%Y %H:%M:%S %z", False),
    ],
)
def test_dates_are_read_by_their_format(
    tmp_path: Path, cell: str, date_format: str, *, is_found: bool
) -> None:
    """What can mean one day only is found out; what may be two has to be said."""
    path = tmp_path / "input.csv"
    path.write_text(f"t,x\n{cell},1\n{cell},2\n")
    for options in (CsvOptions(date_format=date_format), CsvOptions()):
        (batch,) = list(CsvReader(path, options).batches())
        read = seconds(batch.column(0), batch.schema.field(0))
        is_read = is_found or options.date_format is not None
        assert np.isnan(read).tolist() == [not is_read] * 2
        assert not is_read or read.tolist() == [1_772_352_000.0] * 2


def test_a_separator_is_found_by_rows_not_by_the_header_alone() -> None:
    """Commas in names or decimals do not make a comma the separator."""
    assert layout("a, in bar;b\n" + "1,5;2,5\n" * 5).separator == ";"
    assert layout("a|b\n1|2\n").separator == "|"
    assert layout("a b\n1\n", delimiter=" ").separator == " "


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"encoding": "klingon"}, "--encoding klingon: unknown"),
        ({"delimiter": "ab"}, "--delimiter 'ab': give one character"),
        ({"decimal": ";"}, "--decimal ';': give '.' or ','"),
        ({"decimal": ",", "thousands": ","}, "both --decimal and --thousands"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, options: dict[str, str], words: str
) -> None:
    """By their names, before anything is read."""
    path = tmp_path / "input.csv"
    path.write_text("a\n1\n")
    with pytest.raises(InputFileError, match=words):
        check_input(path, CsvOptions(**options))  # type: ignore[arg-type]


def test_options_of_csv_mean_nothing_elsewhere(tmp_path: Path) -> None:
    """They are refused by name, not ignored."""
    path = tmp_path / "input.jsonl"
    path.write_text("{}\n")
    with pytest.raises(InputFileError, match="--no-header says how CSV is written"):
        check_input(path, CsvOptions(header=False))
