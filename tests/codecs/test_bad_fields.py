"""A bad field is the same choice in every format: the event, or only itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.config.sections import InputConfig
from tests.codecs.formats import FORMATS, from_packed, from_table

NAN = float("nan")


@pytest.mark.parametrize("name", FORMATS)
def test_by_choice_only_the_field_beyond_float32_is_missing(name: str) -> None:
    """The event is scored without it, and it is counted by reason."""
    rows: list[dict[str, Any]] = [{"a": 1.0, "b": 1e39}, {"a": 2.0, "b": 3.0}]
    config = InputConfig(on_bad_field="missing")
    refused = FORMATS[name](rows, fields=("a", "b"))
    assert [letter.reason for letter in refused.dead_letters] == ["not_finite"]
    decoded = FORMATS[name](rows, fields=("a", "b"), input=config)
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1, NAN], [2, 3]])
    noted = [(bad.reason, bad.num_fields) for bad in decoded.bad_fields]
    assert (noted, decoded.dead_letters) == ([("not_finite", 1)], ())


@pytest.mark.parametrize("name", ["json", "csv", "arrow", "parquet"])
def test_numbers_as_text_are_read_by_choice(name: str) -> None:
    """A column of text that holds numbers is read as such, where the option says so."""
    rows: list[dict[str, Any]] = [{"a": 1.0, "b": "2.5"}, {"a": 2.0, "b": " 3 "}]
    config = InputConfig(numbers_as_text=True)
    decoded = FORMATS[name](rows, fields=("a", "b"), input=config)
    assert decoded.batch.values_BC.tolist() == [[1, 2.5], [2, 3]]


@pytest.mark.parametrize("name", ["json", "csv", "arrow", "parquet"])
def test_what_is_no_number_at_all_is_the_same_choice(name: str) -> None:
    """A text among numbers, or a column of another type, costs the field alone."""
    config = InputConfig(on_bad_field="missing", numbers_as_text=True)
    rows: list[dict[str, Any]] = [{"a": 1.0, "b": "2"}, {"a": 2.0, "b": "x"}, {"a": 3.0, "b": "4"}]
    decoded = FORMATS[name](rows, fields=("a", "b"), input=config)
    np.testing.assert_array_equal(decoded.batch.values_BC[:, 1], [2, NAN, 4])
    assert [bad.reason for bad in decoded.bad_fields] == ["wrong_type"]


def test_a_packed_column_of_another_type() -> None:
    """By choice it is a column whose fields are all missing, and counted row by row."""
    batch = pa.RecordBatch.from_pydict({"a": [1.0, 2.0], "b": [[1], None]})
    assert from_packed(batch, fields=("a", "b")).dead_letters[0].reason == "wrong_type"
    config = InputConfig(on_bad_field="missing")
    decoded = from_packed(batch, fields=("a", "b"), input=config)
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1, NAN], [2, NAN]])
    assert [(bad.place, bad.num_fields) for bad in decoded.bad_fields] == [(0, 1)]


def test_a_packed_path_leads_through_structs() -> None:
    """`s.x` is the column of that name, or else `x` in the struct `s`; for keys and times, too."""
    rows = [{"x": 1.5, "id": "m1", "t": 10}, {"x": None, "id": "m2", "t": 11}]
    batch = pa.RecordBatch.from_pydict({"s": rows, "n": [1, 2]})
    config = InputConfig(key_field="s.id", time_field="s.t")
    decoded = from_packed(batch, fields=("s.x", "n"), input=config)
    np.testing.assert_array_equal(decoded.batch.values_BC, [[1.5, 1], [NAN, 2]])
    assert decoded.batch.keys.to_pylist() == ["m1", "m2"]
    assert decoded.batch.event_time.tolist() == [10, 11]


def test_a_file_of_large_texts_is_looked_into_by_choice() -> None:
    """Columns of Parquet that hold numbers as text are channels under `numbers_as_text`."""
    batch = pa.RecordBatch.from_arrays([pa.array(["1", "2"], pa.large_string())], names=["a"])
    decoded = from_table(batch, fields="auto", input=InputConfig(numbers_as_text=True))
    assert decoded.batch.values_BC.tolist() == [[1], [2]]
