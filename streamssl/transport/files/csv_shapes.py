"""The shapes that numbers and dates have in text: what a column's first cells show.

A number with one comma and three digits behind it may be either a decimal or a group; other cells
of the column tell, or else those of the file.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from streamssl.data.dates import fits_format, formats_of
from streamssl.data.written import Written

MISSING = frozenset(
    ["", "null", "nan", "na", "n/a", "#n/a", "<na>", "none", "-nan", "-", "--", "—", "?"]
)
# Most of the cells that hold anything.
MOST = 0.9
# Cells that show whether a column holds times.
TIME_CELLS = 100
MINUS = "\u2212"
_GROUPS = ".,'’\u00a0\u202f "  # noqa: RUF001 (they are written so)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d*([eE][+-]?\d+)?")
_WHOLE = re.compile(r"[+-]?\d+")
_UNCERTAIN = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_GROUPED = re.compile(rf"[+-]?[1-9]\d{{0,2}}([{_GROUPS}])\d{{3}}(\1\d{{3}})*(?:([.,])\d+)?")
_WITH_UNIT = re.compile(rf"([+-]?[\d{_GROUPS}]*\d)\s*([^\W\d_][^\s\d]{{0,11}}|[%°‰µ]\S{{0,11}})")


class Shape(NamedTuple):
    """What the cells of a column are.

    Attributes:
        is_number: Whether most are numbers.
        is_time: Whether most are times.
        written: How they are written.
        is_uncertain: Whether its commas may be decimal ones or between thousands.
    """

    is_number: bool
    is_time: bool
    written: Written
    is_uncertain: bool = False


def known(cells: Iterable[str], missing: Iterable[str] = ()) -> list[str]:
    """The cells that hold something, without blanks around."""
    cells, words = list(cells), {*missing}
    if not words and all(map(_NUMBER.fullmatch, cells)):
        return cells
    numbers = {value for word in words if (value := _value(word)) is not None}
    trimmed = [cell for cell in map(tidy, cells) if cell.lower() not in MISSING]
    found = [cell for cell in trimmed if cell not in words]
    return [cell for cell in found if _value(cell) not in numbers] if numbers else found


def _value(cell: str) -> float | None:
    """The number that a cell is, with a point or a comma before decimals; None where it is none."""
    plain = cell.replace(",", ".")
    return float(plain) if _NUMBER.fullmatch(plain) else None


def tidy(cell: str) -> str:
    """The cell without blanks around, with the minus of the keyboard."""
    cell = cell.strip()
    return f"-{cell[1:]}" if cell.startswith(MINUS) else cell


def shape_of(cells: Sequence[str], prefer: Written, fixed: Collection[str] = ()) -> Shape:
    """What the known cells of a column are.

    Args:
        cells: Its first ones.
        prefer: What is said of the file, and what holds where nothing is.
        fixed: What of `prefer` was said, and is not to be found out: `decimal`, `thousands`.
    """
    if cells and all(map(_NUMBER.fullmatch, cells)):
        return Shape(True, False, prefer)
    unit = _unit(cells)
    bare = [cell.removesuffix(unit).rstrip() for cell in cells] if unit else cells
    number = _number_shape(bare, prefer, fixed)
    if number is not None:
        return number._replace(written=number.written._replace(unit=unit))
    cells = cells[:TIME_CELLS]
    if not prefer.date_format and _share(map(_is_iso, cells), cells) >= MOST:
        return Shape(False, True, prefer)
    date_format = prefer.date_format or _date_format(cells)
    fit = (bool(date_format) and fits_format(cell, date_format) for cell in cells)
    return Shape(False, _share(fit, cells) >= MOST, prefer._replace(date_format=date_format))


def is_number(cell: str, written: Written) -> bool:
    """Whether one cell is a number that is written so."""
    cell = tidy(cell).removesuffix(written.unit).rstrip()
    match = _GROUPED.fullmatch(cell) if written.thousands else None
    if match and match[1] == written.thousands and match[3] in (None, written.decimal):
        return True
    return bool(_NUMBER.fullmatch(cell) or (written.decimal == "," and _is_decimal_comma(cell)))


def may_be_number(cell: str) -> bool:
    """Whether one cell is a number in any of the ways in which they are written."""
    shapes = (_NUMBER, _DECIMAL_COMMA, _GROUPED, _WITH_UNIT)
    return any(shape.fullmatch(tidy(cell)) for shape in shapes)


def plain(cell: str, written: Written) -> float:
    """The number that a cell is; NaN where it is none."""
    if not is_number(cell, written):
        return float("nan")
    cell = tidy(cell).removesuffix(written.unit).rstrip()
    if written.thousands:
        cell = cell.replace(written.thousands, "")
    return float(cell.replace(written.decimal, "."))


def _number_shape(cells: Sequence[str], prefer: Written, fixed: Collection[str]) -> Shape | None:
    found = _comma_shape(cells, prefer, fixed) or _group_shape(cells, prefer, fixed)
    if found is not None:
        return found
    share = _share((is_number(cell, prefer) for cell in cells), cells)
    return Shape(True, False, prefer) if share > 0.5 else None


def _comma_shape(cells: Sequence[str], prefer: Written, fixed: Collection[str]) -> Shape | None:
    """Decimal commas, perhaps with points between thousands."""
    if ("decimal" in fixed and prefer.decimal != ",") or any(map(_is_surely_grouped, cells)):
        return None
    group = prefer.thousands if "thousands" in fixed else "."
    grouped = [cell for cell in cells if _group_of(cell, ",") == group]
    commas = [cell for cell in cells if _is_decimal_comma(cell)] + grouped
    num_whole = sum(map(bool, map(_WHOLE.fullmatch, cells)))
    if not commas or len(commas) + num_whole < MOST * len(cells):
        return None
    is_uncertain = "decimal" not in fixed and all(map(_UNCERTAIN.fullmatch, commas))
    thousands = group if grouped else prefer.thousands
    return Shape(True, False, prefer._replace(decimal=",", thousands=thousands), is_uncertain)


def _group_shape(cells: Sequence[str], prefer: Written, fixed: Collection[str]) -> Shape | None:
    """Groups of thousands."""
    groups = Counter(group for group in map(_group_of, cells) if group not in ("", "."))
    likely = [group for group, _ in groups.most_common(1)]
    points = prefer.decimal if "decimal" in fixed else ".,"
    for group in [prefer.thousands] if "thousands" in fixed else likely:
        for point in (mark for mark in points if mark != group):
            written = prefer._replace(decimal=point, thousands=group)
            if _share((is_number(cell, written) for cell in cells), cells) >= MOST:
                return Shape(True, False, written)
    return None


def _is_surely_grouped(cell: str) -> bool:
    """Whether its commas can only stand between thousands."""
    match = _GROUPED.fullmatch(cell)
    return match is not None and match[1] == "," and (match[2] is not None or match[3] == ".")


def _is_decimal_comma(cell: str) -> bool:
    return bool(_DECIMAL_COMMA.fullmatch(cell)) and any(map(str.isdigit, cell))


def _group_of(cell: str, point: str = "") -> str:
    """What stands between the thousands of a cell, "" for nothing.

    Args:
        cell: The cell.
        point: What must stand before its decimals; "": anything, or none.
    """
    match = _GROUPED.fullmatch(cell)
    return match[1] if match and match[3] != match[1] and point in ("", match[3]) else ""


def _unit(cells: Sequence[str]) -> str:
    """What stands behind the number in most cells, "" where they have nothing in common."""
    units = Counter(match[2] for match in map(_WITH_UNIT.fullmatch, cells) if match)
    for unit, count in units.most_common(1):
        if count >= MOST * len(cells) and not re.fullmatch(r"[eE]", unit):
            return unit
    return ""


def _date_format(cells: Sequence[str]) -> str:
    found = formats_of(cells)
    # Where day and month cannot be told apart, nothing is better than the wrong one.
    return found[0] if len(found) == 1 else ""


def _is_iso(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True


def _share(matches: Iterable[bool], cells: Sequence[str]) -> float:
    return sum(map(bool, matches)) / len(cells) if cells else 0.0
