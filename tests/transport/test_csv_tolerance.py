"""CSV as people write it: options win, a file has one convention, nothing is lost silently."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from streamssl.codecs.cells import numbers
from streamssl.data.events import UNREADABLE, FloatArray
from streamssl.transport.files.csv_header import find_preamble
from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.csv_reader import CsvReader
from streamssl.transport.files.rows import InputFileError


def read(
    folder: Path, content: str | bytes, **options: object
) -> tuple[pa.RecordBatch, tuple[str, ...], tuple[str, ...]]:
    """The rows of a small file, the notes and the warnings."""
    path = folder / "input.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    reader = CsvReader(path, CsvOptions(**options))  # type: ignore[arg-type]
    (batch,) = list(reader.batches())
    return batch, reader.notes, reader.warnings


def column(batch: pa.RecordBatch, name: str) -> FloatArray:
    place = batch.schema.get_field_index(name)
    return numbers(batch.column(place), batch.schema.field(place))[0]


@pytest.mark.parametrize("num_rows", [3, 700])
def test_what_is_said_of_decimals_is_not_overruled(tmp_path: Path, num_rows: int) -> None:
    """With `--decimal .` a comma stands between thousands, or the cell is no number."""
    text = "zeit;druck;temp\n" + "".join(f"{i};99,883;0,5{i % 9}\n" for i in range(num_rows))
    batch, notes, _ = read(tmp_path, text, decimal=".")
    assert set(column(batch, "druck")) == {99_883.0}
    assert np.isnan(column(batch, "temp")).all()
    assert not any("commas before decimals" in note for note in notes)
    assert any("between thousands in druck" in note for note in notes)
    guessed, notes, _ = read(tmp_path, text)
    assert set(column(guessed, "druck")) == {99.883}


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({"thousands": ","}, 5_103.0),
        ({"decimal": ","}, 5.103),
        ({"decimal": ",", "thousands": "."}, 5.103),
        ({"thousands": "."}, 5.103),
    ],
)
def test_what_is_said_of_thousands_is_not_overruled(
    tmp_path: Path, options: dict[str, str], value: float
) -> None:
    """A mark between thousands says what stands before decimals where it is a point or comma."""
    batch, notes, _ = read(tmp_path, "a;p\n" + "7;5,103\n" * 9, **options)
    assert set(column(batch, "p")) == {value}
    assert not any("--thousands" in note for note in notes)


def test_a_header_and_a_separator_are_as_they_are_said(tmp_path: Path) -> None:
    """The first line is data or names as the option has it, and `sep=` rules no `--delimiter`."""
    assert len(read(tmp_path, "a,b\n1,2\n", header=False)[0]) == 2
    assert len(read(tmp_path, "1,2\n3,4\n", header=True)[0]) == 1
    batch, *_ = read(tmp_path, "sep=;\na|b\n1|2\n", delimiter="|")
    assert batch.schema.names[:2] == ["a", "b"]


@pytest.mark.parametrize(
    ("first", "num", "then", "value"),
    [
        ("0", 150, "0,510", 0.51),
        ("", 201, "5,103", 5.103),
        ("", 201, "5.103 bar", 5.103),
        ("0", 5_000, "-0,25", -0.25),
    ],
)
def test_a_column_that_shows_late_how_it_is_written_is_read(
    tmp_path: Path, first: str, num: int, then: str, value: float
) -> None:
    """In a file with decimal commas, long after its first rows."""
    rows = [f"{99 + i % 3},5;{first if i < num else then}\n" for i in range(2 * num)]
    batch, *_ = read(tmp_path, "p;v\n" + "".join(rows))
    assert set(column(batch, "v")[num:]) == {value}
    assert set(column(batch, "p")) == {99.5, 100.5, 101.5}


@pytest.mark.parametrize(
    ("first", "then", "value"),
    [("900", "1,003", 1_003.0), ("99.9", "1,000.5", 1_000.5), ("7", "12,003,456", 12_003_456.0)],
)
def test_thousands_that_come_late_are_read(
    tmp_path: Path, first: str, then: str, value: float
) -> None:
    """Whole numbers and decimal points alike."""
    rows = [f'{i % 7}.25,"{first if i < 300 else then}"\n' for i in range(600)]
    batch, notes, _ = read(tmp_path, "p,v\n" + "".join(rows))
    assert set(column(batch, "v")[300:]) == {value}
    assert any("between thousands in v" in note for note in notes)


def test_a_column_that_shows_nothing_is_as_the_others(tmp_path: Path) -> None:
    """Its numbers may come after all that was looked at: the file's convention holds for them."""
    batch, *_ = read(tmp_path, "p;v;late\n" + "1,5;7;\n" * 50)
    for name in ("v", "late"):
        field = batch.schema.field(name)
        assert numbers(pa.array(["0,75"]), field)[0].tolist() == [0.75]


def test_words_for_missing_values_are_trimmed_numbers_and_told(tmp_path: Path) -> None:
    """-999 is -999.000 and -999,0; a word that stands in no cell is a warning."""
    text = "p;q;r\n" + "1,5; -999 ;off\n-999,0;3;x\n" * 20
    batch, _, warnings = read(tmp_path, text, na_values=("-999.00", "off", "void", "99"))
    for name in "pq":
        assert np.isnan(column(batch, name)).sum() == 20
    assert warnings == ("--na-values: no cell is 'void', '99'",)
    batch, _, warnings = read(tmp_path, "p,q\n1.5,-999.000\n2.5,3\n", na_values=("-999",))
    np.testing.assert_array_equal(column(batch, "q"), [np.nan, 3])
    assert warnings == ()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", None])
def test_names_that_are_not_in_the_encoding_are_an_error(
    tmp_path: Path, encoding: str | None
) -> None:
    """They are not garbled; the error names the option. Unsaid, the encoding is found."""
    content = "Kühl,q\n1.5,2\n1.7,3\n".encode("cp1252")
    if encoding is None:
        assert read(tmp_path, content)[0].schema.names[0] == "Kühl"
        return
    with pytest.raises(InputFileError, match=f"is not in {encoding}: name another --encoding"):
        read(tmp_path, content, encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_wide_encodings_are_known_without_a_mark(tmp_path: Path, encoding: str) -> None:
    """By their zero bytes; where another encoding was said, the error names the right one."""
    content = "p,q\n1.5,2\n1.7,3\n".encode(encoding)
    batch, notes, _ = read(tmp_path, content)
    assert column(batch, "p").tolist() == [1.5, 1.7]
    assert notes == (f"the encoding {encoding} (--encoding)",)
    if encoding.endswith("e"):
        with pytest.raises(InputFileError, match=f"--encoding {encoding} reads it"):
            read(tmp_path, content, encoding="utf-8")


def test_what_is_packed_is_unpacked_or_named(tmp_path: Path) -> None:
    """Gzip by its first bytes, whatever the name; an archive is no table of one channel."""
    batch, *_ = read(tmp_path, gzip.compress(b"p,q\n1.5,2\n"))
    assert column(batch, "p").tolist() == [1.5]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "p\n1\n")
    with pytest.raises(InputFileError, match="zip archive"):
        read(tmp_path, packed.getvalue())


@pytest.mark.parametrize(
    ("text", "num_rows"),
    [
        *(("1,2\n3,4\n", 2), ("1.5,2.5\n", 1), ("0,1\n", 1), ("0,1,2\n3,4,5\n6,7,8\n", 3)),
        *(("1\n2\n", 2), ("1,2\n9,4\n", 2), ("0,1,2\n17,4,9\n5,31,2\n", 2)),
        ("0,1\n0.5,0.25\n", 1),
    ],
)
def test_tiny_files_lose_no_row_to_a_header(tmp_path: Path, text: str, num_rows: int) -> None:
    """Numbers are names only where the lines below are of another kind; either way it is told."""
    batch, notes, _ = read(tmp_path, text)
    assert len(batch) == num_rows
    assert any("no header" in note or "header of numbers" in note for note in notes)


def test_names_that_stand_twice_are_told_and_own_names_stay(tmp_path: Path) -> None:
    """The third column is `p.1`, as the file calls it; the second one is another, in words."""
    batch, notes, _ = read(tmp_path, "p,p,p.1\n1,2,3.5\n4,5,6\n")
    assert batch.schema.names[:3] == ["p", "p.2", "p.1"]
    assert any("column 2 'p' named 'p.2'" in note for note in notes)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("sep=;\n", "'sep=;' in the first line"),
        ("SEP=;\r\n\r\n", "'sep=;' in the first line"),
        ("# pump 7\n", "1 line of comment (#)"),
        ("# pump 7\n#a, b\n\n", "2 lines of comment (#)"),
    ],
)
def test_lines_for_programs_and_comments_before_the_table_are_skipped(
    tmp_path: Path, lines: str, told: str
) -> None:
    """They are no header, and it is told."""
    batch, notes, _ = read(tmp_path, lines + "zeit;p\n1;2,5\n2;3,5\n")
    assert batch.schema.names[:2] == ["zeit", "p"]
    assert column(batch, "p").tolist() == [2.5, 3.5]
    assert any(told in note for note in notes)


def test_a_comment_over_data_may_be_the_header() -> None:
    """Where it has as many cells as the line below, which holds numbers."""
    assert find_preamble(b"# by logger 5\n# t,p\n1,2\n").num_bytes == 14
    assert find_preamble(b"# t,p\nt,p\n1,2\n").num_bytes == 6


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("num_rows", [2, 60])
def test_other_lines_before_the_header_are_an_error_with_its_remedy(
    tmp_path: Path, separator: str, num_rows: int
) -> None:
    """No row can be read by it: it says to remove them."""
    rows = "".join(separator.join(f"{i},5,7".split(",")) + "\n" for i in range(num_rows))
    text = "Station: A\nFrom: 2020\n\n" + separator.join("tpq") + "\n" + rows
    with pytest.raises(InputFileError, match="remove the lines before the table's header"):
        read(tmp_path, text)


def test_separators_at_the_end_of_lines_of_data_are_read_and_told(tmp_path: Path) -> None:
    """They are one more column without a name and without a value."""
    batch, notes, _ = read(tmp_path, "a,b\n1,2.5,\n3,9,\n")
    assert column(batch, "b").tolist() == [2.5, 9]
    assert batch.column(batch.schema.get_field_index(UNREADABLE)).null_count == 2
    assert any("an empty last column" in note for note in notes)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_counted(tmp_path: Path, end: str) -> None:
    """A line without anything is no row, and how many there were is told; quoted ones are data."""
    cells = ["" if i in (7, 40) else f"{i % 9}.5" for i in range(82)]
    batch, notes, _ = read(tmp_path, "p" + end + end.join(cells) + end)
    assert len(batch) == 80
    assert notes == ("2 blank lines skipped: no rows",)
    batch, notes, _ = read(tmp_path, 'p,q\n1,"a\n\nb"\n2,c\n')
    assert (len(batch), notes) == (2, ())


def test_a_minus_of_typesetters_is_a_minus(tmp_path: Path) -> None:
    """U+2212 before a number, with units and decimal commas too, and it is told."""
    text = "p;u;w\n" + "\u2212100,5;\u22122 bar;\u22125\n" * 3
    batch, notes, _ = read(tmp_path, text)
    assert [column(batch, name)[0] for name in "puw"] == [-100.5, -2, -5]
    assert any("U+2212" in note for note in notes)


def test_a_padded_line_before_the_header_is_an_error(tmp_path: Path) -> None:
    """As spreadsheets save it: its empty cells are no names; an index without a name is fine."""
    with pytest.raises(InputFileError, match="stands above the table's header"):
        read(tmp_path, "Station: A;;\ntime;p;q\n" + "1,5;2;3\n" * 20)
    assert read(tmp_path, ",p\n0,2.5\n1,3.5\n")[0].schema.names[:2] == ["column_0", "p"]


def test_a_header_that_ends_with_a_separator_is_read(tmp_path: Path) -> None:
    """No column stands behind it, and it is told."""
    batch, notes, _ = read(tmp_path, "a,b,\n1,2.5\n3,9\n")
    assert column(batch, "b").tolist() == [2.5, 9]
    assert any("a header that ends with ','" in note for note in notes)


def test_utf_8_that_is_read_by_another_encoding_is_a_warning(tmp_path: Path) -> None:
    """Its names are garbled, and the warning shows how."""
    _, _, warnings = read(tmp_path, "Kühl,q\n1,2\n", encoding="latin-1")
    assert any("the names are UTF-8" in warning and "KÃ¼hl" in warning for warning in warnings)
    assert read(tmp_path, "Kühl,q\n1,2\n".encode("latin-1"), encoding="latin-1")[2] == ()


def test_sentinels_do_not_hide_how_a_column_is_written(tmp_path: Path) -> None:
    """A third of its cells are -999.000, which `--na-values -999` means; the others have commas."""
    cells = ["5,25", "6,5", "-999.000"] * 30
    batch, *_ = read(tmp_path, "p;q\n" + "".join(f"{c};7\n" for c in cells), na_values=("-999",))
    np.testing.assert_array_equal(column(batch, "p")[:3], [5.25, 6.5, np.nan])
