"""How a CSV file is laid out: what was said of it, and what its first block shows.

Whatever is found out beyond the ordinary (commas between cells, points before decimals, names in
the first line) is told.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from streamssl.data.written import Written
from streamssl.transport.files.csv_header import Row, is_above_header, is_header
from streamssl.transport.files.csv_notes import notes_on_cells, notes_on_lines
from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.csv_shapes import MINUS, Shape, known, may_be_number, shape_of
from streamssl.transport.files.rows import InputFileError, unique_names

SEPARATORS = ",;\t|"
SAMPLE_ROWS = 100
# Looked into for how cells are written: far more rows, as a column may show it late.
SAMPLE_CELLS = 100_000
# So few lines are as long as the first one where the table begins below it.
FEW_LINES = 0.1
# A point that does not stand between thousands.
_POINT = re.compile(r"[+-]?(\d*\.(\d{0,2}|\d{4,})|0\d*\.\d*|\d{4,}\.\d*|\.\d+)([eE][+-]?\d+)?")
Columns = list[list[str]]


@dataclass(frozen=True, slots=True)
class CsvLayout:
    """How the rows of a file are to be read.

    Attributes:
        separator: What stands between cells.
        names: Of the columns.
        written: How the cells of each are written.
        has_header: Whether the first line has the names.
        notes: What was found out, in words.
    """

    separator: str
    names: list[str]
    written: list[Written]
    has_header: bool
    notes: tuple[str, ...]


# A replay opens its file several times; the same first block says the same.
@lru_cache(maxsize=1)
def find_layout(head: bytes, options: CsvOptions) -> CsvLayout:
    """The layout of a file.

    Args:
        head: Its first block of whole lines, in UTF-8, of which the first is not blank.
        options: What is said of it.

    Raises:
        InputFileError: The first line has other cells than the ones below.
    """
    text = head.decode("utf-8", "replace")
    # 1. Lines to cells.
    separator = options.delimiter or _separator(text)
    first, rows, notes = _table(text, separator)
    # 2. How the cells of each column are written; an empty one is known by the first line.
    said, fixed = options.written(), options.fixed()
    columns = [known((row[place] for row in rows), said.missing) for place in range(len(first))]
    columns = [c or known([cell], said.missing) for c, cell in zip(columns, first, strict=True)]
    shapes = _settled([shape_of(column, said, fixed) for column in columns], columns, separator)
    # 3. Whether the first line has names.
    has_header = options.header
    if has_header is None:
        has_header = is_header(first, rows[:SAMPLE_ROWS], shapes)
    if has_header and rows and is_above_header(first, rows[0], shapes):
        raise InputFileError(
            f"the first line {separator.join(first)[:60]!r} stands above the table's header: "
            "remove the lines before it"
        )
    names = unique_names(first if has_header else [""] * len(first))
    # 4. What is to be told.
    notes += notes_on_lines(separator, first, names, options, has_header=has_header)
    notes += notes_on_cells(names, [shape.written for shape in shapes], said)
    if MINUS in text and any(cell.lstrip().startswith(MINUS) for row in rows for cell in row):
        notes.append(f"{MINUS} (U+2212) as minus")
    written = _of_one_convention(shapes, columns)
    return CsvLayout(separator, names, written, has_header, tuple(notes))


def _separator(text: str) -> str:
    """The separator that cuts lines into as many cells each, most of which are numbers."""

    def score(separator: str) -> tuple[bool, float, float, int, bool]:
        rows = _rows(text, separator, 30)
        width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
        cells = [cell for row in rows if len(row) == width for cell in row]
        numbers = sum(map(may_be_number, cells)) / max(len(cells), 1)
        constant = round(count / max(len(rows), 1), 2)
        return width > 1, constant, round(numbers, 1), width, separator == ","

    return max(SEPARATORS, key=score)


def _table(text: str, separator: str) -> tuple[Row, list[Row], list[str]]:
    """The first line, the rows below that are as long, and what is to be told of it."""
    (first, *few) = _rows(text, separator, SAMPLE_ROWS + 1) or [[]]
    width, count = Counter(map(len, few)).most_common(1)[0] if few else (len(first), 0)
    same = sum(len(row) == len(first) for row in few)
    notes = []
    is_table = width > len(first) or len(few) > 1
    is_below = same <= FEW_LINES * len(few) or len(first) == 1 < width
    if width == len(first) - 1 and is_below and few and not first[-1].strip():
        first = first[:-1]
        notes.append(f"a header that ends with {separator!r}")
    elif width != len(first) and is_table and is_below:
        if width != len(first) + 1 or any(row[-1].strip() for row in few if len(row) == width):
            raise _unlike(first, few, width, separator)
        first = [*first, ""]
        notes.append(f"an empty last column: {count} of the first lines end with {separator!r}")
    num_rows = max(SAMPLE_ROWS, SAMPLE_CELLS // max(len(first), 1))
    rows = _rows(text, separator, num_rows + 1)[1:]
    return first, [row for row in rows if len(row) == len(first)], notes


def _unlike(first: Row, few: Sequence[Row], width: int, separator: str) -> InputFileError:
    shown = separator.join(first)[:60]
    below = f"the lines below have {width}" if len(few) > 1 else f"the line below has {width}"
    return InputFileError(
        f"the first line {shown!r} has {_cells(len(first))}, {below} (between them {separator!r}): "
        "remove the lines before the table's header, give every column a name, or say what "
        "stands between cells (--delimiter)"
    )


def _cells(num: int) -> str:
    return "1 cell" if num == 1 else f"{num} cells"


def _rows(text: str, separator: str, num_rows: int) -> list[Row]:
    """The first rows; blank lines are none."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[Row] = []
    with contextlib.suppress(csv.Error):
        rows.extend(islice((row for row in reader if row), num_rows))
    return rows


def _settled(shapes: list[Shape], columns: Columns, separator: str) -> list[Shape]:
    """What one column leaves open, the others decide."""
    certain = [s.written for s in shapes if s.is_number and not s.is_uncertain]
    has_points = any(w.decimal == "." and w.thousands for w in certain) or any(
        shape.is_number and "." in cell and shape.written.decimal == "."
        for shape, column in zip(shapes, columns, strict=True)
        for cell in column
    )
    has_commas = any(w.decimal == "," for w in certain)
    if has_commas or (separator != "," and not has_points):
        return shapes
    return [
        s._replace(written=s.written._replace(decimal=".", thousands=",")) if s.is_uncertain else s
        for s in shapes
    ]


def _of_one_convention(shapes: Sequence[Shape], columns: Columns) -> list[Written]:
    """How cells are written: columns that do not show it are as those that do, if these agree."""
    shows = [
        s.is_number
        and (s.written.decimal == "," or bool(s.written.thousands) or any(map(_POINT.fullmatch, c)))
        for s, c in zip(shapes, columns, strict=True)
    ]
    shown = [s.written for s, is_shown in zip(shapes, shows, strict=True) if is_shown]
    groups = {w.thousands for w in shown} - {""}
    if len({w.decimal for w in shown}) != 1 or len(groups) > 1:
        return [s.written for s in shapes]
    decimal, thousands = shown[0].decimal, "".join(groups)
    return [
        s.written
        if is_shown or s.is_time
        else s.written._replace(decimal=decimal, thousands=s.written.thousands or thousands)
        for s, is_shown in zip(shapes, shows, strict=True)
    ]
