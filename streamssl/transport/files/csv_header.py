"""What stands above the rows of a CSV file: marks for programs, comments, names, or nothing."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from streamssl.data.written import Written
from streamssl.transport.files.csv_shapes import Shape, known, plain, shape_of

# So few columns may count 0, 1 or 1, 2 by chance.
FEW_NAMES = 2
_SEPARATOR_LINE = re.compile(rb'"?sep=([^\r\n"]+)"?[;,\t ]*(?:\r\n|\n|\r|$)', re.IGNORECASE)
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r|$)")
Row = list[str]


class Preamble(NamedTuple):
    """What stands before the table.

    Attributes:
        num_bytes: How long it is.
        separator: What it says to stand between cells, "" where it does not.
        notes: What was skipped, in words.
    """

    num_bytes: int
    separator: str
    notes: tuple[str, ...]


def find_preamble(head: bytes) -> Preamble:
    r"""A line `sep=;` as Excel reads it, and comments that begin with `#`.

    A line with `#` that has as many cells as the next one is the names' line.

    Example:
        >>> find_preamble(b"sep=;\n# pump 7\np;q\n1;2\n")[:2]
        (15, ';')
    """
    separator, notes, at = "", [], 0
    if match := _SEPARATOR_LINE.match(head):
        separator, at = match[1].decode("utf-8", "replace")[:1], match.end()
        notes.append(f"'sep={separator}' in the first line")
    num_comments = 0
    while at < len(head) and head[at : at + 1] == b"#":
        line = _LINE.match(head, at)
        assert line is not None
        if _may_be_names(line.group(), head, line.end()):
            break
        at, num_comments = line.end(), num_comments + 1
        at += len(head[at:]) - len(head[at:].lstrip(b"\r\n"))
    if num_comments:
        lines = "1 line" if num_comments == 1 else f"{num_comments} lines"
        notes.append(f"{lines} of comment (#) before the table skipped")
    return Preamble(at, separator, tuple(notes))


def _may_be_names(line: bytes, head: bytes, end: int) -> bool:
    """Whether a comment has as many cells as the line below, which holds numbers."""
    match = _LINE.match(head, end)
    below = match.group() if match else b""
    is_data = bool(re.search(rb"\d", below)) and not below.startswith(b"#")
    return is_data and any(0 < line.count(mark) == below.count(mark) for mark in b",;\t|")


def is_header(first: Row, rows: Sequence[Row], shapes: Sequence[Shape]) -> bool:
    """Whether the first line has names: no numbers where numbers follow.

    Numbers are names where they are 0, 1, 2, ... over lines that do not count so, or rise far
    from what stands below them, such as wavelengths.
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
    values = _values(first, numeric, shapes)
    if not rows or len(values) < 2 or not all(a < b for a, b in pairwise(values)):
        return False
    if values[0] in (0, 1) and _counts(values):
        below = [_values(row, numeric, shapes) for row in rows]
        is_whole = all(value == int(value) for row in below for value in row)
        return not any(map(_counts, below)) and (not is_whole or len(values) > FEW_NAMES)
    far = sum(_is_far(first, rows, place, shapes[place].written) for place in numeric)
    return far > len(numeric) / 2


def is_above_header(first: Row, second: Row, shapes: Sequence[Shape]) -> bool:
    """Whether names stand in the second line: the first is mostly empty, numbers come later."""
    numeric = [place for place, shape in enumerate(shapes) if shape.is_number]
    num_empty = sum(not cell.strip() for cell in first)
    words = [second[place] for place in numeric if known([second[place]])]
    are_words = all(math.isnan(plain(second[place], shapes[place].written)) for place in numeric)
    return bool(words) and are_words and 2 * num_empty >= len(first)


def _values(row: Row, numeric: Sequence[int], shapes: Sequence[Shape]) -> list[float]:
    values = (plain(row[place], shapes[place].written) for place in numeric)
    return [value for value in values if math.isfinite(value)]


def _counts(values: Sequence[float]) -> bool:
    """Whether each number is the next whole one."""
    return len(values) > 1 and all(b - a == 1 for a, b in pairwise(values))


def _is_far(first: Row, rows: Sequence[Row], place: int, written: Written) -> bool:
    values = [plain(row[place], written) for row in rows]
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return False
    low, high = min(values), max(values)
    span = max(high - low, 1e-9 * abs(high))
    return not low - span <= plain(first[place], written) <= high + span
