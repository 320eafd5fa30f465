"""Cells as people write them to what a parser reads: decimal commas, thousands, units, dates.

Only what has the shape of such a number or date is touched; all else stays as it is. B = rows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.data.arrow_types import moment_seconds
from streamssl.data.events import FloatArray
from streamssl.data.written import Written

_NULL = pa.scalar(None, pa.string())
_SLOW_DIRECTIVES = ("%f", "%z", "%Z", "%p", "%j", "%U", "%W")


def plain_numbers(column: pa.StringArray, written: Written) -> pa.StringArray:
    """Cells whose numbers have a decimal point, no groups and no unit; missing ones are null.

    Example:
        >>> cells = pa.array(["1.234,5 bar", "-0,25bar", "-", "bar"])
        >>> plain_numbers(cells, Written(",", ".", "bar", ("-",))).to_pylist()
        ['1234.5', '-0.25', None, 'bar']
    """
    if written == Written():
        return column
    cells = known_cells(pc.utf8_trim_whitespace(column), written)
    unit, group, point = map(re.escape, (written.unit, written.thousands, written.decimal))
    if unit:
        number = rf"^([+-]?\d(?:[^\pL]*\d)?)\s*{unit}$"
        cells = pc.replace_substring_regex(cells, pattern=number, replacement=r"\1")
    if group:
        grouped = rf"^[+-]?\d{{1,3}}({group}\d{{3}})+({point}\d*)?$"
        plain = pc.replace_substring(cells, pattern=written.thousands, replacement="")
        cells = pc.if_else(pc.match_substring_regex(cells, grouped), plain, cells)
    if written.decimal != ".":
        decimal = rf"^[+-]?\d*{point}\d*([eE][+-]?\d+)?$"
        plain = pc.replace_substring(cells, pattern=written.decimal, replacement=".")
        cells = pc.if_else(pc.match_substring_regex(cells, decimal), plain, cells)
    return cells


def known_cells(column: pa.StringArray, written: Written) -> pa.StringArray:
    """Cells of which the words that mean that there is no value are null."""
    if not written.missing:
        return column
    return pc.if_else(pc.is_in(column, pa.array(written.missing, pa.string())), _NULL, column)


def dated_seconds(column: pa.StringArray, date_format: str) -> FloatArray:
    """`[B]` seconds since 1970 of dates in a format (UTC where it names no zone), else NaN."""
    cells = pc.utf8_trim_whitespace(column)
    if not any(directive in date_format for directive in _SLOW_DIRECTIVES):
        moments = pc.strptime(cells, format=date_format, unit="s", error_is_null=True)
        return moment_seconds(moments)
    return np.array([_seconds(cell or "", date_format) for cell in cells.to_pylist()])


def _seconds(cell: str, date_format: str) -> float:
    try:
        moment = datetime.strptime(cell, date_format)
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
