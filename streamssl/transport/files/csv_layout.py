"""How a CSV file is laid out: what was said of it, and what its first lines show.

Whatever is found out beyond the ordinary (commas between cells, points before decimals, names in
the first line) is told.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from streamssl.data.written import Written
from streamssl.transport.files.csv_options import CsvOptions
from streamssl.transport.files.csv_shapes import Shape, known, may_be_number, plain, shape_of
from streamssl.transport.files.rows import unique_names

SEPARATORS = ",;\t|"
SAMPLE_ROWS = 100
MAX_TOLD = 8
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_ORDINARY = Written()
Row = list[str]


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


def find_layout(head: bytes, options: CsvOptions) -> CsvLayout:
    """The layout of a file.

    Args:
        head: Its first lines, in UTF-8, of which the first is not blank.
        options: What is said of it.
    """
    text = head.decode("utf-8", "replace")
    separator = options.delimiter or _separator(text)
    first, *rows = _rows(text, separator, SAMPLE_ROWS + 1) or [[]]
    rows = [row for row in rows if len(row) == len(first)]
    said = Written(
        options.decimal or ".",
        options.thousands or "",
        missing=options.na_values or (),
        date_format=options.date_format or "",
    )
    shapes = _shapes(first, rows, said, separator)
    has_header = options.header
    if has_header is None:
        has_header = _is_header(first, rows, shapes)
    names = unique_names(first if has_header else [""] * len(first))
    written = [shape.written for shape in shapes]
    notes = _notes(separator, names, written, said, has_header=has_header, options=options)
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


def _rows(text: str, separator: str, num_rows: int) -> list[Row]:
    """The first rows; blank lines are none."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[Row] = []
    with contextlib.suppress(csv.Error):
        rows.extend(islice((row for row in reader if row), num_rows))
    return rows


def _shapes(first: Row, rows: Sequence[Row], said: Written, separator: str) -> list[Shape]:
    """What each column holds; what one leaves open, the others decide."""
    columns = [known((row[place] for row in rows), said.missing) for place in range(len(first))]
    columns = [c or known([cell], said.missing) for c, cell in zip(columns, first, strict=True)]
    shapes = [shape_of(column, said) for column in columns]
    certain = [s.written for s in shapes if s.is_number and not s.is_uncertain]
    has_points = any(w.thousands == "," for w in certain) or any(
        "." in cell
        for shape, column in zip(shapes, columns, strict=True)
        if shape.is_number and shape.written == said
        for cell in column
    )
    has_commas = any(w.decimal == "," for w in certain)
    if has_commas or (separator != "," and not has_points):
        return shapes
    grouped = said._replace(decimal=".", thousands=",")
    return [
        s._replace(written=grouped._replace(unit=s.written.unit)) if s.is_uncertain else s
        for s in shapes
    ]


def _is_header(first: Row, rows: Sequence[Row], shapes: Sequence[Shape]) -> bool:
    """Whether the first line has names: no numbers where numbers follow.

    Numbers are names where they are 0, 1, 2, ... or rise far from what stands below them, such as
    wavelengths.
    """
    numeric = [place for place, shape in enumerate(shapes) if shape.is_number]
    timed = [place for place, shape in enumerate(shapes) if shape.is_time]
    for place in (*numeric, *timed):
        cell = first[place].strip()
        fits = shape_of([cell], shapes[place].written) if known([cell]) else shapes[place]
        if not (fits.is_number if place in numeric else fits.is_time):
            return True
    if not numeric:
        return not timed
    values = [plain(first[place], shapes[place].written) for place in numeric]
    values = [value for value in values if not math.isnan(value)]
    if len(values) < 2 or not all(a < b for a, b in pairwise(values)):
        return False
    if values in ([float(n) for n in range(len(values))], [n + 1.0 for n in range(len(values))]):
        return True
    far = sum(_is_far(first, rows, place, shapes[place].written) for place in numeric)
    return far > len(numeric) / 2 or (not rows and not all(v == int(v) for v in values))


def _is_far(first: Row, rows: Sequence[Row], place: int, written: Written) -> bool:
    values = [plain(row[place], written) for row in rows]
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return False
    low, high = min(values), max(values)
    span = max(high - low, 1e-9 * abs(high))
    return not low - span <= plain(first[place], written) <= high + span


def _notes(
    separator: str,
    names: Sequence[str],
    written: Sequence[Written],
    said: Written,
    *,
    has_header: bool,
    options: CsvOptions,
) -> list[str]:
    """What was found out, and the option that says otherwise."""
    notes = []
    if options.delimiter is None and separator != ",":
        notes.append(f"{_NAMES[separator]} between cells (--delimiter)")
    if options.header is None and not has_header:
        notes.append(f"no header: the first line is data, columns are {names[0]}, ... (--header)")
    each = list(zip(names, written, strict=True))
    commas = [name for name, w in each if w.decimal != said.decimal]
    if commas:
        notes.append(f"commas before decimals in {_listed(commas)} (--decimal)")
    for group in sorted({w.thousands for w in written} - {said.thousands}):
        found = [name for name, w in each if w.thousands == group]
        notes.append(f"{group!r} between thousands in {_listed(found)} (--thousands)")
    for unit in sorted({w.unit for w in written} - {""}):
        found = [name for name, w in each if w.unit == unit]
        notes.append(f"the unit {unit!r} behind the numbers of {_listed(found)}")
    for date in sorted({w.date_format for w in written} - {"", said.date_format}):
        found = [name for name, w in each if w.date_format == date]
        notes.append(f"dates such as {date!r} in {_listed(found)} (--date-format)")
    return notes


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_TOLD} more" if len(names) > MAX_TOLD else ""
    return ", ".join(names[:MAX_TOLD]) + more
