"""Cells as people write them to what a parser reads: decimal commas, thousands, units, dates.

Only what has the shape of such a number or date is touched; all else stays as it is. B = rows.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.data.arrow_types import moment_seconds
from streamssl.data.events import FloatArray
from streamssl.data.written import Written

_NULL = pa.scalar(None, pa.string())
MINUS = "\u2212"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
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
    cells = known_cells(ascii_minus(pc.utf8_trim_whitespace(column)), written)
    unit, group, point = map(re.escape, (written.unit, written.thousands, written.decimal))
    if unit:
        number = rf"^([+-]?\d(?:[^\pL]*\d)?)\s*{unit}$"
        cells = pc.replace_substring_regex(cells, pattern=number, replacement=r"\1")
    if group:
        grouped = rf"^[+-]?[1-9]\d{{0,2}}({group}\d{{3}})+({point}\d*)?$"
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
    words = pa.array(written.missing, pa.string())
    is_word = pc.is_in(pc.utf8_trim_whitespace(column), words)
    return pc.if_else(is_word, _NULL, column)


def ascii_minus(cells: pa.StringArray) -> pa.StringArray:
    """Numbers behind the minus of typesetters (U+2212) behind that of the keyboard."""
    return pc.replace_substring_regex(cells, pattern=rf"^{MINUS}([\d.,])", replacement=r"-\1")


@lru_cache(maxsize=64)
def missing_numbers(written: Written) -> FloatArray:
    """Numbers that mean that there is no value, however many zeros they are written with."""
    words = pa.array(written.missing, pa.string())
    plain = plain_numbers(words, written._replace(missing=())).to_pylist()
    return np.array([float(word) for word in (*plain, *written.missing) if _NUMBER.fullmatch(word)])


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
