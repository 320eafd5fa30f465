"""The time column of a table: how its times are written, and what to say where they are not.

B = rows.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pyarrow import types

from streamssl.codecs.cells import is_untyped, numbers, seconds, texts
from streamssl.data.arrow_types import is_moment, is_number, is_text
from streamssl.data.dates import formats_of, odd_times
from streamssl.data.times import TIMES_READ, date_digits
from streamssl.data.written import written_of

_EXAMPLE = "%d.%m.%Y %H:%M:%S"
_DIGIT_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M"}
_MAX_CHARS = 80


class FirstTimes:
    """The first times of a file, until one can be read.

    Args:
        name: Of the column; None: rows have no time.
    """

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._has_time = False
        self._row = 0
        self._bad: tuple[int, pa.Array, pa.Field] | None = None

    def look(self, sample: pa.RecordBatch) -> None:
        """Look at more rows."""
        if self._name is None or self._has_time:
            return
        column, field = sample.column(self._name), sample.schema.field(self._name)
        self._has_time = not np.isnan(seconds(column, field)).all()
        known = np.flatnonzero([bool((text or "").strip()) for text in texts(column).to_pylist()])
        if self._bad is None and len(known):
            self._bad = self._row + int(known[0]), column.slice(int(known[0])), field
        self._row += sample.num_rows

    def problem(self) -> str:
        """Why no row has a time, and what to do; "" where one has, or there is no row."""
        if self._name is None or self._has_time or not self._row:
            return ""
        told = f"column {self._name!r} holds no time that can be read: "
        if self._bad is None:
            return f"{told}all of the first {self._row} rows are empty; name another column"
        row, column, field = self._bad
        cells = [cell for cell in texts(column).to_pylist() if cell]
        told += f"row {row} has {cells[0][:_MAX_CHARS]!r}"
        if given := written_of(field).date_format:
            told += f", which does not fit --date-format {given!r}"
        return f"{told}; {_remedy(cells, field)}"


def may_hold_times(kind: pa.DataType) -> bool:
    """Whether a column of this type can be the time of events."""
    is_count = is_number(kind) and not types.is_boolean(kind)
    return bool(is_moment(kind) or is_count or is_text(kind) or types.is_null(kind))


def time_digits(sample: pa.RecordBatch | None, name: str | None) -> int:
    """8 or 12 where the first times of a file are dates as numbers (20260301), else 0."""
    if sample is None or name is None or name not in sample.schema.names:
        return 0
    field = sample.schema.field(name)
    if is_moment(field.type) or written_of(field).date_format:
        return 0
    number_B, no_number_B = numbers(sample.column(name), field, as_text=True)
    return 0 if no_number_B.any() else date_digits(number_B)


def wanted_time(field: pa.Field, digits: int) -> str:
    """What a cell of the time column should have been."""
    given = written_of(field).date_format or _DIGIT_FORMATS.get(digits)
    return TIMES_READ if given is None else f"a date such as {given!r}"


def digits_hint(name: str, digits: int) -> str:
    """That numbers were taken for dates."""
    return (
        f"column {name!r} was read as dates such as {_DIGIT_FORMATS[digits]!r}: where it holds "
        "seconds, write them with decimals or as timestamps"
    )


def time_hint(name: str, sample: pa.RecordBatch | None) -> str:
    """That a column looks like a time, and which options read it."""
    told = f"column {name!r} looks like a time"
    option = f"--time-column {name}"
    if sample is None or name not in sample.schema.names:
        return f"{told}: {option}"
    column, field = sample.column(name), sample.schema.field(name)
    time_B = seconds(column, field)
    known_N = time_B[~np.isnan(time_B)]
    if len(known_N):
        odd = "" if time_digits(sample, name) else odd_times(known_N)
        return f"{told}: {odd}" if odd else f"{told}: {option}"
    cells = [cell for cell in texts(column).to_pylist() if cell]
    return f"{told} such as {cells[0][:_MAX_CHARS]!r}: {option}, and {_remedy(cells, field)}"


def _remedy(cells: list[str], field: pa.Field) -> str:
    """How to have cells read that are no times as they are."""
    if not is_untyped(field):
        return f"convert it to timestamps, or write {TIMES_READ}"
    formats = formats_of(cells)
    told = " or ".join(f"--date-format {form!r}" for form in formats)
    if not formats:
        told = f"say how dates are written, such as --date-format {_EXAMPLE!r}"
    return f"give {told}" if formats else f"{told}, or write {TIMES_READ}"
