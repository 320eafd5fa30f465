"""A replay names the options that seem to fit a file's columns."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from streamssl.codecs.table_fields import table_choice
from streamssl.codecs.table_hints import option_hints
from streamssl.config.sections import InputConfig
from streamssl.data.channels import Choice, LeftOut
from streamssl.data.events import UNTYPED

ROWS = range(40)
RPM = [1480.0 + 0.5 * (row % 7) for row in ROWS]


def hints(columns: dict[str, Any], **settings: Any) -> tuple[str, ...]:
    config = InputConfig(**settings)
    batch = pa.RecordBatch.from_pydict({"rpm": RPM, **columns})
    return option_hints(batch, table_choice([batch], input=config), input=config)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("when", [f"2026-03-01T08:00:{row:02}" for row in ROWS]),
        ("at", pa.array([1_700_000_000_000 + row for row in ROWS], pa.timestamp("ms"))),
        ("unix", [1.7e9 + row for row in ROWS]),
        ("time_ms", [1_700_000_000_000 + row // 2 for row in ROWS]),
    ],
)
def test_a_column_of_times_is_hinted_at(name: str, cells: Any) -> None:
    """Moments, ISO 8601, and numbers that grow like seconds; not where it is the time."""
    assert hints({name: cells}) == (f"column {name!r} looks like a time: --time-column {name}",)
    assert hints({name: cells}, time_field=name) == ()


@pytest.mark.parametrize(
    ("date_format", "told"),
    [
        ("%d/%m/%Y %H:%M:%S", "'%d/%m/%Y %H:%M:%S' or --date-format '%m/%d/%Y %H:%M:%S'"),
        ("%d-%b-%Y %H:%M:%S", "'%d-%b-%Y %H:%M:%S'"),
        ("%Y/%m/%d %I:%M:%S %p", "'%Y/%m/%d %I:%M:%S %p'"),
    ],
)
def test_dates_that_are_not_understood_are_hinted_at(date_format: str, told: str) -> None:
    """With the value, the option that names the column, and the formats that fit."""
    cells = [datetime(2026, 3, 1, 8, 0, row, tzinfo=UTC).strftime(date_format) for row in ROWS]
    field = pa.field("when", pa.string(), metadata={UNTYPED: "csv"})
    batch = pa.RecordBatch.from_arrays(
        [pa.array(cells), pa.array(RPM)], schema=pa.schema([field, ("rpm", pa.float64())])
    )
    choice = table_choice([batch], input=InputConfig())
    (hint,) = option_hints(batch, choice, input=InputConfig())
    assert hint == (
        f"column 'when' looks like a time such as {cells[0]!r}: --time-column when, and give "
        f"--date-format {told}"
    )


def test_days_of_a_spreadsheet_are_no_seconds() -> None:
    """The hint says what they are, not that the column is a time."""
    (hint,) = hints({"time": [46082.333 + row / 1440 for row in ROWS]})
    assert "look like days of Excel" in hint
    assert "--time-column" not in hint


@pytest.mark.parametrize("first", [20260301, 202603010800])
def test_dates_as_numbers_are_told(first: int) -> None:
    """Read as dates, and said to be a guess; counts of seconds are not told."""
    told = hints({"t": [first + row % 20 for row in ROWS]}, time_field="t")
    assert len(told) == 1
    assert "column 't' was read as dates such as '%Y%m%d" in told[0]
    assert hints({"t": [*ROWS]}, time_field="t") == ()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("machine", [f"m{row % 3}" for row in ROWS]),
        ("device_id", [7 + row % 2 for row in ROWS]),
        ("where", ["hall a" if row % 2 else "hall b" for row in ROWS]),
    ],
)
def test_a_column_of_keys_is_hinted_at(name: str, cells: Any) -> None:
    """Texts that come back, and whole numbers with such a name; not where it is the key."""
    assert hints({name: cells}) == (f"column {name!r} looks like a key: --key-column {name}",)
    assert hints({name: cells}, key_field=name) == ()


def test_the_likeliest_key_is_named() -> None:
    """By its name before others; of several, the one with the most values."""
    columns = {
        "hall": ["a" if row % 2 else "b" for row in ROWS],
        "machine": [f"m{row % 3}" for row in ROWS],
        "machine_type": ["x" if row % 2 else "y" for row in ROWS],
    }
    assert hints(columns) == ("column 'machine' looks like a key: --key-column machine",)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("note", ["fine"] * 40),
        ("status", ["ok" if row % 3 else "fail" for row in ROWS]),
        ("serial", [f"s{row}" for row in ROWS]),
        ("speed", [row % 4 for row in ROWS]),
        ("valve", [1.5 + row for row in ROWS]),
    ],
)
def test_labels_and_measurements_are_no_hint(name: str, cells: Any) -> None:
    """Constant texts, states, texts that never come back, and numbers."""
    assert hints({name: cells}) == ()


def test_messages_are_judged_by_what_was_left_out() -> None:
    """JSON Lines have no table to look into; a file without rows has nothing to say."""
    left_out = [LeftOut(name, reason, "") for name, reason in (("status", "key"), ("m", "key"))]
    choice = Choice(None, (*left_out, LeftOut("when", "time", "")))
    assert option_hints(None, choice, input=InputConfig()) == (
        "column 'when' looks like a time: --time-column when",
        "column 'm' looks like a key: --key-column m",
    )
    assert option_hints(None, Choice(None), input=InputConfig()) == ()
