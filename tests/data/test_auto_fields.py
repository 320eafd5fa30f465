"""What no one names is decided as in a file, and what is left out is told once, with reasons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from streamssl import EventBatch

ROWS = 80
GENERATOR = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "at": 1_772_352_000 + np.arange(ROWS),
        "row": range(1000, 1000 + ROWS),
        "machine": ["m1", "m2"] * (ROWS // 2),
        "site": "A",
        "gone": [None] * ROWS,
        "dead": np.nan,
        "rpm": GENERATOR.normal(1480, 5, ROWS),
        "flow": GENERATOR.normal(3, 0.1, ROWS),
    }
)
MAKERS: dict[str, Callable[..., EventBatch]] = {
    "pandas": lambda **how: EventBatch.from_pandas(FRAME, **how),
    "arrow": lambda **how: EventBatch.from_arrow(pa.Table.from_pandas(FRAME), **how),
    "records": lambda **how: EventBatch.from_records(FRAME.to_dict("records"), **how),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_what_is_no_measurement_is_left_out_and_told_once(maker: str) -> None:
    """Clocks, row numbers, labels and empty columns, each with its reason, and what to do."""
    with pytest.warns(UserWarning, match="columns left out of the events") as told:
        batch = MAKERS[maker]()
    assert batch.fields == ("rpm", "flow")
    assert len(told) == 1
    text = str(told[0].message)
    assert "'at': looks like a timestamp (give it as time=" in text
    assert "'row': looks like a row number" in text
    assert "'machine': text that repeats (give it as key=" in text
    assert "'site': the same text" in text
    assert "'gone': no value, 'dead': no value" in text
    assert "name in fields=[...] the measurements among them" in text
    assert told[0].filename == __file__


@pytest.mark.parametrize("maker", MAKERS)
def test_named_fields_are_taken_as_asked(maker: str) -> None:
    """In their order and without a word, whatever they look like."""
    batch = MAKERS[maker](fields=["row", "at", "dead", "rpm"])
    assert batch.fields == ("row", "at", "dead", "rpm")


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_columns_of_an_array_are_decided_alike(unit: int) -> None:
    """A clock in any unit and a counter; the others keep the numbers of their columns."""
    seconds = (1_772_352_000 + np.arange(ROWS)) * unit
    values = np.column_stack([seconds, FRAME["rpm"], np.arange(ROWS), FRAME["flow"]])
    with pytest.warns(UserWarning, match=r"'c0': looks like a timestamp.*'c2': looks like a row"):
        batch = EventBatch.from_numpy(values)
    assert batch.fields == ("c1", "c3")
    np.testing.assert_array_equal(batch.values_BC, values[:, [1, 3]])
    assert EventBatch.from_numpy(values, fields=["a", "b", "c", "d"]).values_BC.shape == (ROWS, 4)


def test_a_single_counter_is_a_channel() -> None:
    """Better a guess less than no channel at all."""
    assert EventBatch.from_pandas(FRAME[["row"]]).fields == ("row",)


def test_a_column_that_begins_late_is_a_channel() -> None:
    """The first rows decide what a column looks like, not whether it has a value."""
    late = FRAME["rpm"].where(np.arange(ROWS) >= 60)
    assert EventBatch.from_pandas(FRAME[["flow"]].assign(late=late)).fields == ("flow", "late")


def test_columns_without_any_value_are_channels_where_all_are() -> None:
    """As in a file of which no cell is filled."""
    assert EventBatch.from_pandas(FRAME[["dead"]]).fields == ("dead",)


def test_row_numbers_that_pandas_wrote_to_arrow_are_no_channel() -> None:
    """The index of a filtered frame steps by more than one."""
    table = pa.Table.from_pandas(FRAME[["rpm"]][FRAME["rpm"] > 1480])
    with pytest.warns(UserWarning, match="'__index_level_0__': looks like a row number"):
        assert EventBatch.from_arrow(table).fields == ("rpm",)


WHEN = pd.date_range("2026-03-01", periods=ROWS, freq="s")
VALUES = FRAME[["rpm", "flow"]]
LEVELS = VALUES.set_index([pd.Index(FRAME["machine"], name="m"), pd.Index(WHEN, name="t")])


@pytest.mark.parametrize("roles", [{"key": "m"}, {"key": "m", "time": "t"}])
def test_levels_of_the_index_are_time_and_key(roles: dict[str, Any]) -> None:
    """By name, as columns are; the only level of timestamps is the time."""
    batch = EventBatch.from_pandas(LEVELS, **roles)
    assert batch.fields == ("rpm", "flow")
    assert batch.keys.to_pylist() == FRAME["machine"].tolist()
    assert batch.event_time[1] == WHEN[1].timestamp()


def test_an_index_of_machine_names_is_the_key_by_name() -> None:
    """The same as a column of that name."""
    batch = EventBatch.from_pandas(VALUES.set_index(FRAME["machine"]), key="machine")
    assert batch.keys.to_pylist() == FRAME["machine"].tolist()


@pytest.mark.parametrize(
    ("frame", "how", "level"),
    [
        (LEVELS, {}, "'m'"),
        (VALUES.set_index(FRAME["machine"]), {}, "'machine'"),
        (VALUES.set_index(FRAME["machine"].to_numpy()), {}, "one without a name"),
        (VALUES.set_index(np.arange(ROWS) / 2), {}, "one without a name"),
        (VALUES.assign(at=FRAME["at"]).set_index(WHEN), {"time": "at"}, "one without a name"),
        (LEVELS, {"fields": ["rpm"]}, "'m'"),
    ],
    ids=["of several", "names", "names without a name", "seconds", "second time", "fields"],
)
def test_an_index_that_says_something_is_not_dropped_silently(
    frame: Any, how: dict[str, Any], level: str
) -> None:
    """A warning names its levels and what makes use of them."""
    with pytest.warns(UserWarning, match="levels of the index are left out") as told:
        EventBatch.from_pandas(frame, **how)
    assert len(told) == 1
    assert level in str(told[0].message)
    assert told[0].filename == __file__


def test_row_numbers_of_pandas_are_dropped_without_a_word() -> None:
    """Those of a filtered or a joined frame are no more than that; nor is an index of no rows."""
    for frame in (VALUES, VALUES[VALUES["rpm"] > 1480], pd.concat([VALUES, VALUES]), LEVELS[:0]):
        assert len(EventBatch.from_pandas(frame)) == len(frame)


def test_a_wrong_name_is_told_with_the_levels_of_the_index() -> None:
    """What was meant may be there under another name, or under none."""
    frame = VALUES.set_index(FRAME["machine"].to_numpy())
    with pytest.raises(ValueError, match=r"no column 'machine'.*index: one without a name"):
        EventBatch.from_pandas(frame, key="machine")


def test_two_levels_of_timestamps_must_be_told_apart() -> None:
    """One of them is the time."""
    frame = VALUES.set_index([pd.Index(WHEN, name="begin"), pd.Index(WHEN, name="end")])
    with pytest.raises(ValueError, match=r"'begin' .*, 'end' .*: name one as time"):
        EventBatch.from_pandas(frame)


def test_an_index_named_as_a_column_hides_none() -> None:
    """Both are there: the column a field, the index the time."""
    frame = VALUES.set_index(pd.Index(WHEN, name="rpm"))
    batch = EventBatch.from_pandas(frame, fields=["rpm"])
    np.testing.assert_array_equal(batch.values_BC[:, 0], VALUES["rpm"])
