"""A replay says what it used of a file, and what it might have used."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from streamssl.codecs.table_fields import table_choice
from streamssl.codecs.table_report import ColumnReport, column_report
from streamssl.config.sections import InputConfig
from streamssl.data.channels import REASONS

ROWS = range(40)
RPM = [1480.0 + 0.5 * (row % 7) for row in ROWS]


def report(columns: dict[str, Any], **settings: Any) -> ColumnReport:
    config = InputConfig(**settings)
    batch = pa.RecordBatch.from_pydict({"rpm": RPM, **columns})
    return column_report(batch, table_choice([batch], input=config), input=config)


def test_what_is_not_scored_has_a_reason() -> None:
    """Text, nothing but empty cells, or left out by name; time and key are used."""
    found = report(
        {
            "time": [1.7e9 + row for row in ROWS],
            "machine": [f"m{row % 2}" for row in ROWS],
            "note": [f"note {row}" for row in ROWS],
            "none": pa.nulls(40, pa.float64()),
            "eval_label": [0] * 40,
        },
        time_field="time",
        key_field="machine",
        ignore_fields=["eval_*"],
    )
    assert found.channels == ("rpm",)
    assert found.ignored == {"note": "text", "none": "empty", "eval_label": "by name"}
    assert found.hints == (f"column 'none': {REASONS['empty']}",)


def test_columns_that_are_not_named_are_told() -> None:
    """Where `modality.fields` names the channels, no other column is asked why."""
    config = InputConfig()
    batch = pa.RecordBatch.from_pydict({"rpm": RPM, "flow": RPM})
    choice = table_choice([batch], input=config, fields=["flow"])
    found = column_report(batch, choice, input=config)
    assert (found.channels, found.ignored) == (("flow",), {"rpm": "not in modality.fields"})


def test_a_row_number_is_hinted_at() -> None:
    """It is left out, and the hint says how to have it."""
    found = report({"n": [float(row) for row in ROWS]})
    assert found.ignored == {"n": "counter"}
    assert found.hints == (f"column 'n': {REASONS['counter']}",)


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
    """Moments, ISO 8601, and numbers that grow like seconds or are named so."""
    expected = (f"column {name!r} looks like a time: --time-column {name}",)
    assert report({name: cells}).hints == expected
    assert report({name: cells}, time_field=name).hints == ()


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("machine", [f"m{row % 3}" for row in ROWS]),
        ("device_id", [7 + row % 2 for row in ROWS]),
        ("where", ["hall a" if row % 2 else "hall b" for row in ROWS]),
    ],
)
def test_a_column_of_keys_is_hinted_at(name: str, cells: Any) -> None:
    """Texts that come back, and whole numbers with such a name."""
    expected = (f"column {name!r} looks like a key: --key-column {name}",)
    assert report({name: cells}).hints == expected
    assert report({name: cells}, key_field=name).hints == ()


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
    assert report({name: cells}).hints == ()


def test_a_file_without_rows_has_nothing_to_say() -> None:
    """Its columns alone tell nothing."""
    config = InputConfig()
    found = column_report(None, table_choice([], input=config), input=config)
    assert found == ColumnReport()
