"""The time column of a file: what it may be, and what is said where it is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.codecs.cells import seconds
from streamssl.codecs.table import TableDecoder
from streamssl.codecs.table_fields import TableError, table_choice
from streamssl.codecs.table_times import time_digits
from streamssl.config.sections import InputConfig
from streamssl.data.events import UNTYPED, Decoded, Schema, Slice
from streamssl.data.written import Written

INPUT = InputConfig(time_field="t")


def rows(cells: Any, *, csv: bool = False, date_format: str = "") -> pa.RecordBatch:
    """A time column beside a channel, as CSV or as Parquet has it."""
    column = pa.array(cells)
    written = Written(date_format=date_format).metadata()
    field = pa.field("t", column.type, metadata={UNTYPED: "csv", **written} if csv else None)
    schema = pa.schema([field, ("rpm", pa.float64())])
    return pa.RecordBatch.from_arrays([column, pa.array([1.5] * len(column))], schema=schema)


def decode(batch: pa.RecordBatch) -> Decoded:
    decoder = TableDecoder(
        topic="f.csv", schema=Schema(("rpm",)), input=INPUT, time_digits=time_digits(batch, "t")
    )
    return decoder.decode(Slice(0, 1, 0, len(batch), batch), None)


@pytest.mark.parametrize("csv", [True, False])
@pytest.mark.parametrize(
    ("first", "seconds"), [(20260301, 1_772_323_200.0), (202603010800, 1_772_352_000.0)]
)
def test_dates_as_numbers_are_dates(csv: bool, first: int, seconds: float) -> None:
    """Where all of the first rows are; a later one that is no date costs its row, and says so."""
    batch = rows([str(first)] * 3 if csv else [first] * 3, csv=csv)
    assert decode(batch).batch.event_time.tolist() == [seconds] * 3
    bad = rows(["20260301", "20260399"] if csv else [20260301, 20260399], csv=csv)
    decoder = TableDecoder(topic="f", schema=Schema(("rpm",)), input=INPUT, time_digits=8)
    decoded = decoder.decode(Slice(0, 1, 0, 2, bad), None)
    assert decoded.batch.event_time.tolist() == [1_772_323_200.0]
    assert decoded.dead_letters[0].detail == "'t' holds '20260399', not a date such as '%Y%m%d'"


@pytest.mark.parametrize(
    ("cells", "csv", "date_format"),
    [
        ([0, 1, 2], False, ""),
        (["20260301", "5"], True, ""),
        (["20260301"], True, "%Y%m%d"),
        (["2026-03-01"], True, ""),
        (pa.array([20260301], pa.timestamp("s")), False, ""),
    ],
)
def test_what_is_no_date_as_number(cells: Any, csv: bool, date_format: str) -> None:
    """Seconds, texts, moments, and what is said to be written in a format."""
    assert time_digits(rows(cells, csv=csv, date_format=date_format), "t") == 0


@pytest.mark.parametrize(
    "cells",
    [pa.array([1, 2], pa.duration("us")), pa.array([1, 2], pa.time64("us")), [True, False], [[1]]],
)
def test_columns_of_other_types_are_no_times(cells: Any) -> None:
    """Durations, times of a day, booleans and lists are refused with their type."""
    batch = rows(cells)
    with pytest.raises(TableError, match=r"column 't' holds .*, not times; name a column of"):
        table_choice([batch], input=INPUT)


@pytest.mark.parametrize(
    ("cells", "date_format", "told"),
    [
        (
            ["", "01/03/2026 08:00"],
            "",
            "row 1 has '01/03/2026 08:00'; give --date-format '%d/%m/%Y %H:%M' or --date-format "
            "'%m/%d/%Y %H:%M'",
        ),
        (["03/20/2026 08:00:00 AM"], "", "give --date-format '%m/%d/%Y %I:%M:%S %p'"),
        (
            ["01.03.2026"],
            "%Y/%m/%d",
            "row 0 has '01.03.2026', which does not fit --date-format '%Y/%m/%d'; give "
            "--date-format '%d.%m.%Y'",
        ),
        (["at noon"], "", "say how dates are written, such as --date-format '%d.%m.%Y %H:%M:%S'"),
        (["", " "], "", "all of the first 2 rows are empty"),
    ],
)
def test_an_unreadable_time_column_is_shown(cells: Any, date_format: str, told: str) -> None:
    """The first value and its row, what was said of it, and the format that fits."""
    batch = rows(cells, csv=True, date_format=date_format)
    with pytest.raises(TableError, match="column 't' holds no time that can be read") as error:
        table_choice([batch], input=INPUT)
    assert told in str(error.value)


def test_seconds_with_decimal_commas_are_times() -> None:
    """Numbers of the time column are read as those of every other are."""
    column = pa.array(["1772352000,25", "1772352001,5"])
    field = pa.field("t", column.type, metadata={UNTYPED: "csv", **Written(",").metadata()})
    assert seconds(column, field).tolist() == [1_772_352_000.25, 1_772_352_001.5]


def test_dates_as_texts_in_parquet_are_shown() -> None:
    """No option says how they are written: the column is to be converted."""
    with pytest.raises(TableError, match=r"row 0 has '01/03/2026'; convert it to timestamps"):
        table_choice([rows(["01/03/2026"])], input=INPUT)


def test_a_null_among_times_is_named() -> None:
    """The dead letter names the column and that it is null."""
    decoded = decode(rows(pa.array([1_700_000_000, None], pa.timestamp("s"))))
    (letter,) = decoded.dead_letters
    assert letter.detail.startswith("'t' holds null, not seconds")
    assert np.isfinite(decoded.batch.event_time).all()
