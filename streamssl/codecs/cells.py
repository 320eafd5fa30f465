"""Cells of a table to numbers, texts and times: whole columns, with a mask of what is none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from streamssl.codecs.written_cells import (
    ascii_minus,
    dated_seconds,
    known_cells,
    missing_numbers,
    plain_numbers,
)
from streamssl.data.arrow_types import (
    float64,
    is_moment,
    is_number,
    is_text,
    is_textual,
    moment_seconds,
    number_texts,
)
from streamssl.data.events import UNTYPED, BoolArray, FloatArray
from streamssl.data.times import bad_times, digit_seconds, epoch_seconds, iso_seconds
from streamssl.data.written import Written, written_of

MISSING = pa.array(
    [
        *("", "null", "NULL", "nan", "NaN", "NAN", "-nan", "NA", "N/A", "n/a", "#N/A", "<NA>"),
        *("None", "none", "-", "--", "—", "?"),
    ]
)
# Arrow's own objects, made once: plain ones are converted anew in every call.
_IS_MISSING = pc.SetLookupOptions(value_set=MISSING)
# With their type: to find it, Arrow looks for modules that are not there, every time.
_NULL, _ONE, _ZERO, _EMPTY = (pa.scalar(text, pa.string()) for text in (None, "1", "0", ""))
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf(inity)?))$"


def is_untyped(field: pa.Field) -> bool:
    """True where a column holds cells as written, whose type is to be found out."""
    return UNTYPED.encode() in (field.metadata or {})


def numbers(
    column: pa.Array, field: pa.Field, *, as_text: bool = False
) -> tuple[FloatArray, BoolArray]:
    """The cells as numbers (booleans are 0 and 1).

    Args:
        column: The cells.
        field: Their type.
        as_text: Whether texts are looked into, too.

    Returns:
        `[B]` values, NaN where missing or no number, and `[B]` True where there is a cell that
        is no number. Infinite values are numbers here.
    """
    if is_untyped(field):
        return _known_numbers(column, written_of(field))
    if is_number(field.type):
        return float64(column), np.zeros(len(column), np.bool_)
    if as_text and is_text(field.type):
        return parse_numbers(column.cast(pa.string()))
    return np.full(len(column), np.nan), _mask(column.is_valid())


def num_values(column: pa.Array, field: pa.Field) -> int:
    """Number of cells that are not missing."""
    values_B, no_number_B = numbers(column, field)
    return int(np.count_nonzero(~np.isnan(values_B) | no_number_B))


def texts(column: pa.Array) -> pa.StringArray:
    """The cells as text, null where missing."""
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Nested values, and bytes that are no UTF-8.
        return pa.array([None if c is None else str(c) for c in column.to_pylist()], pa.string())


def text_values(column: pa.Array, field: pa.Field) -> tuple[pa.StringArray, BoolArray]:
    """The cells of a text column; numbers and booleans are what they are in JSON.

    Returns:
        `[B]` texts, null where missing (in CSV an empty cell), and `[B]` True where there is a
        cell of another kind, such as a list.
    """
    good_B = np.zeros(len(column), np.bool_)
    if is_untyped(field):
        cells = known_cells(column, written_of(field))
        return pc.if_else(pc.equal(cells, _EMPTY), _NULL, cells), good_B
    if not is_textual(field.type):
        return pa.nulls(len(column), pa.string()), _mask(column.is_valid())
    plain = column if is_text(field.type) else number_texts(column)
    return plain.cast(pa.string()), good_B


def seconds(column: pa.Array, field: pa.Field, *, digits: int = 0) -> FloatArray:
    """The cells as seconds since 1970, NaN where they are no time.

    Args:
        column: The cells: moments, numbers (`epoch_seconds`), or texts, which are such numbers,
            ISO 8601, or dates as the file writes them.
        field: Their type.
        digits: Of numbers that are dates, such as 20260301 with 8; 0 where they are none.
    """
    kind = field.type
    if is_moment(kind):
        time_B = moment_seconds(column)
    elif is_number(kind):
        time_B = _number_seconds(numbers(column, field)[0], digits)
    else:
        written = written_of(field)
        cells = plain_numbers(texts(column), Written(decimal=written.decimal))
        time_B = _text_seconds(cells, written.date_format, digits)
    return np.where(bad_times(time_B), np.nan, time_B)


def parse_numbers(column: pa.StringArray) -> tuple[FloatArray, BoolArray]:
    """Texts as numbers (true and false are 1 and 0); blank ones and words such as NA are missing.

    Returns:
        As `numbers`.
    """
    for prepare in (_as_they_are, _without_missing):
        try:
            return float64(prepare(column).cast(pa.float64())), np.zeros(len(column), np.bool_)
        except pa.ArrowInvalid:
            continue
    return _parse_each(column)


def _known_numbers(column: pa.StringArray, written: Written) -> tuple[FloatArray, BoolArray]:
    values_B, no_number_B = parse_numbers(plain_numbers(column, written))
    if written.missing:
        is_missing_B = np.isin(values_B, missing_numbers(written))
        values_B = np.where(is_missing_B, np.nan, values_B)
    return values_B, no_number_B


def _parse_each(column: pa.StringArray) -> tuple[FloatArray, BoolArray]:
    cells = _without_missing(pc.utf8_trim_whitespace(column))
    cells = ascii_minus(cells)
    lower = pc.utf8_lower(cells)
    cells = pc.if_else(pc.equal(lower, "true"), _ONE, cells)
    cells = pc.if_else(pc.equal(lower, "false"), _ZERO, cells)
    matches = pc.match_substring_regex(cells, _NUMBER)
    values = pc.if_else(matches, cells, _NULL).cast(pa.float64())
    return float64(values), ~_mask(pc.fill_null(matches, True))


def _as_they_are(column: pa.StringArray) -> pa.StringArray:
    return column


def _without_missing(column: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.is_in(column, options=_IS_MISSING), _NULL, column)


def _number_seconds(numbers_B: FloatArray, digits: int) -> FloatArray:
    return digit_seconds(numbers_B, digits) if digits else epoch_seconds(numbers_B)


def _text_seconds(column: pa.StringArray, date_format: str, digits: int) -> FloatArray:
    if date_format:
        return dated_seconds(column, date_format)
    time_B, no_number_B = parse_numbers(column)
    if not no_number_B.any():
        return _number_seconds(time_B, digits)
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return moment_seconds(_without_missing(column).cast(kind))
        except pa.ArrowInvalid:
            continue
    iso = [iso_seconds((cell or "").strip()) for cell in column.to_pylist()]
    return np.where(no_number_B, np.array(iso), _number_seconds(time_B, digits))


def _mask(column: pa.BooleanArray) -> BoolArray:
    return np.array(column.to_numpy(zero_copy_only=False))
