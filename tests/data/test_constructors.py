"""What Python programs hold becomes events, or an error that names what to mend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from streamssl import EventBatch
from tests.stream.streams import small_learner

MOMENTS = pd.date_range("2026-03-01", periods=4, freq="s", tz="UTC")
FIRST_S = 1772323200.0
COLUMNS: dict[str, Any] = {
    "time": MOMENTS,
    "machine": ["m1", "m2", "m1", "m2"],
    "rpm": [1480, 1475, 1490, 1470],
    "pressure": [6.1, np.nan, 6.0, 6.2],
    "running": [True, True, False, True],
}
FRAME = pd.DataFrame(COLUMNS)
RECORDS = FRAME.to_dict("records")
MAKERS: dict[str, Callable[..., EventBatch]] = {
    "pandas": lambda **how: EventBatch.from_pandas(FRAME, **how),
    "arrow": lambda **how: EventBatch.from_arrow(pa.Table.from_pandas(FRAME), **how),
    "record batch": lambda **how: EventBatch.from_arrow(pa.RecordBatch.from_pandas(FRAME), **how),
    "records": lambda **how: EventBatch.from_records(RECORDS, **how),
}


@pytest.mark.parametrize("maker", MAKERS)
def test_all_constructors_make_the_same_events(maker: str) -> None:
    """Numbers are fields, the only timestamps the time, the key as named; NaN is missing."""
    batch = MAKERS[maker](key="machine", topic="plant", first_offset=10)
    assert batch.fields == ("rpm", "pressure", "running")
    assert batch.values_BC.dtype == np.float64
    np.testing.assert_array_equal(batch.values_BC, FRAME[[*batch.fields]].to_numpy(float))
    assert batch.event_time.tolist() == [FIRST_S + row for row in range(4)]
    assert batch.keys.to_pylist() == COLUMNS["machine"]
    assert batch.ids()[0] == "plant/0/10/0"
    small_learner().process(batch)


def test_an_array_s_rows_are_events_by_themselves() -> None:
    """Fields are numbered, time is the row number, one key holds for all; masked is missing."""
    values = np.ma.masked_equal(np.array([[1, 2], [3, -1]]), -1)
    batch = EventBatch.from_numpy(values, key="m1", first_offset=5)
    assert (batch.fields, batch.keys.to_pylist()) == (("c0", "c1"), ["m1", "m1"])
    np.testing.assert_array_equal(batch.values_BC, [[1, 2], [3, np.nan]])
    assert batch.event_time.tolist() == [5.0, 6.0]
    one = EventBatch.from_numpy(
        np.arange(4.0), fields=["rpm"], time=MOMENTS, key=COLUMNS["machine"]
    )
    assert one.values_BC.shape == (4, 1)
    assert one.event_time[0] == FIRST_S
    assert one.keys.to_pylist() == COLUMNS["machine"]


def test_an_index_of_timestamps_is_the_time() -> None:
    """As pandas has it after `set_index`."""
    batch = EventBatch.from_pandas(FRAME.set_index("time"), key="machine")
    assert batch.event_time[0] == FIRST_S
    assert batch.fields == ("rpm", "pressure", "running")


@pytest.mark.parametrize(
    "times",
    [
        [FIRST_S + row for row in range(4)],
        [int(1e3 * (FIRST_S + row)) for row in range(4)],
        [f"2026-03-01T00:00:0{row}Z" for row in range(4)],
        pd.Categorical([f"2026-03-01T00:00:0{row}" for row in range(4)]),
        MOMENTS.tz_convert("Europe/Berlin"),
    ],
    ids=["seconds", "milliseconds", "ISO 8601", "categories", "zone"],
)
def test_times_are_read_in_every_form(times: Any) -> None:
    """The same moments, however they are written."""
    batch = EventBatch.from_pandas(FRAME.assign(time=times), time="time", key="machine")
    assert batch.event_time.tolist() == [FIRST_S + row for row in range(4)]


def test_roles_are_given_by_name() -> None:
    """Named fields in their order; whole numbers and categories are keys; a lacking one is ''."""
    frame = FRAME.assign(unit=[7, 8, 7, 8], line=pd.Categorical(["a", "b", "a", None]))
    batch = EventBatch.from_pandas(frame, key="unit", fields=["pressure", "rpm"], texts=["line"])
    assert (batch.fields, batch.keys.to_pylist()) == (("pressure", "rpm"), ["7", "8", "7", "8"])
    assert batch.texts is not None
    assert batch.texts.to_pydict() == {"line": ["a", "b", "a", None]}
    lines = EventBatch.from_pandas(frame, key="line", fields=["rpm"]).keys
    assert lines.to_pylist() == ["a", "b", "a", ""]


wrong: Any = 3
wrong_none: Any = None
ragged: Any = [2.0]
REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "infinite": (
        lambda: EventBatch.from_pandas(FRAME.assign(rpm=[1.0, 2.0, np.inf, -np.inf])),
        ValueError,
        r"'rpm' is inf in row 2 \(and 1 more\); write NaN",
    ),
    "beyond": (
        lambda: EventBatch.from_numpy([[0.0, 1e39]]),
        ValueError,
        "'c1' is 1e\\+39 in row 0",
    ),
    "numbers as texts": (
        lambda: EventBatch.from_pandas(FRAME.assign(flow=["1.5", "2", "3", "n/a"])),
        TypeError,
        "'flow' may be meant as numbers, but holds texts such as '1.5'",
    ),
    "mixed": (
        lambda: EventBatch.from_pandas(FRAME.assign(flow=[1.5, "n/a", 2.0, 3.0])),
        TypeError,
        "'flow' may be meant as numbers",
    ),
    "nested": (
        lambda: EventBatch.from_records([{"sensors": {"rpm": 1.0}}]),
        TypeError,
        "'sensors' may be meant as numbers, but holds struct",
    ),
    "named text": (
        lambda: EventBatch.from_pandas(FRAME, fields=["machine"]),
        TypeError,
        "'machine' holds .*string, not numbers",
    ),
    "absent": (
        lambda: EventBatch.from_pandas(FRAME, key="machines"),
        ValueError,
        r"no column 'machines'; the columns are 'time' \(timestamp",
    ),
    "no numbers": (
        lambda: EventBatch.from_pandas(FRAME[["machine"]]),
        ValueError,
        "no column holds numbers",
    ),
    "float key": (
        lambda: EventBatch.from_pandas(FRAME, key="pressure"),
        TypeError,
        "'pressure' holds double, not texts or whole numbers",
    ),
    "no time": (
        lambda: EventBatch.from_pandas(FRAME.assign(time=["2026-03-01", "x", "", ""]), time="time"),
        ValueError,
        r"'time' holds no time in row 1 \(and 2 more\): 'x'",
    ),
    "boolean time": (
        lambda: EventBatch.from_pandas(FRAME, time="running"),
        TypeError,
        "'running' holds bool, not times",
    ),
    "two times": (
        lambda: EventBatch.from_pandas(FRAME.assign(end=MOMENTS)),
        ValueError,
        "'time', 'end' hold timestamps: name one",
    ),
    "twice the same name": (
        lambda: EventBatch.from_pandas(pd.concat([FRAME, FRAME[["rpm"]]], axis=1)),
        ValueError,
        "'rpm' names more than one column",
    ),
    "length of keys": (
        lambda: EventBatch.from_numpy(np.zeros((3, 1)), key=["m1"]),
        ValueError,
        "key has 1 rows, values has 3",
    ),
    "names of fields": (
        lambda: EventBatch.from_numpy(np.zeros((3, 2)), fields=["a"]),
        ValueError,
        "fields names 1, but values has 2",
    ),
    "shape": (lambda: EventBatch.from_numpy(np.zeros((1, 1, 1))), ValueError, r"\(1, 1, 1\)"),
    "array of texts": (lambda: EventBatch.from_numpy([["a"]]), TypeError, "array of numbers"),
    "record": (
        lambda: EventBatch.from_records([{}, wrong]),
        TypeError,
        "record 1 is no dict but an i",
    ),
    "null record": (
        lambda: EventBatch.from_records([wrong_none] * 4),
        TypeError,
        "record 0 is no dict but a NoneType",
    ),
    "same names": (
        lambda: EventBatch.from_pandas(FRAME, fields=["rpm", "rpm"]),
        ValueError,
        "fields names 'rpm' more than once",
    ),
    "same names of an array": (
        lambda: EventBatch.from_numpy(np.zeros((3, 2)), fields=["p", "p"]),
        ValueError,
        "fields names 'p' more than once",
    ),
    "one name": (
        lambda: EventBatch.from_numpy(np.zeros((3, 2)), fields="pq"),
        TypeError,
        "fields takes a list of names",
    ),
    "names without order": (
        lambda: EventBatch.from_pandas(FRAME, fields={"rpm"}),  # type: ignore[arg-type]
        TypeError,
        "fields takes a list of names",
    ),
    "a column for its name": (
        lambda: EventBatch.from_pandas(FRAME, key=FRAME["machine"]),
        TypeError,
        "key takes the name of a column; this is a Series",
    ),
    "one time": (
        lambda: EventBatch.from_numpy(np.zeros((3, 2)), time=5),
        TypeError,
        "time is 5; a list or an array is needed, one an event",
    ),
    "one key that is no text": (
        lambda: EventBatch.from_numpy(np.zeros((3, 2)), key=1.5),
        TypeError,
        "'key' holds double, not texts or whole numbers",
    ),
    "ragged rows": (
        lambda: EventBatch.from_numpy([[1.0, 2.0], [3.0]]),
        ValueError,
        "row 0 has 2, row 1 has 1; give every event a number for each field, NaN",
    ),
    "ragged cells": (
        lambda: EventBatch.from_numpy([[1.0, ragged], [3.0, 4.0]]),
        ValueError,
        "a cell is a list",
    ),
    "a frame as array": (
        lambda: EventBatch.from_numpy(FRAME[["rpm"]]),
        TypeError,
        "EventBatch.from_pandas",
    ),
    "negative first offset": (
        lambda: EventBatch.from_numpy(np.zeros((3, 2)), first_offset=-5),
        ValueError,
        "first_offset is -5; it is how many events came before, 0 or more",
    ),
    "decimal commas": (
        lambda: EventBatch.from_pandas(FRAME.assign(flow="1,5"), key="machine"),
        TypeError,
        "'flow' may be meant as numbers, but holds numbers .*text; convert it",
    ),
    "only times": (
        lambda: EventBatch.from_pandas(pd.DataFrame({"at": FIRST_S + np.arange(40)})),
        ValueError,
        r"no column holds numbers that are measurements \('at': looks like a timestamp",
    ),
    "another constructor": (
        lambda: EventBatch.from_arrow(FRAME),
        TypeError,
        "EventBatch.from_pandas",
    ),
    "not a frame": (lambda: EventBatch.from_pandas([{}]), TypeError, "EventBatch.from_records"),
    "not records": (
        lambda: EventBatch.from_records({"rpm": [1.0]}),  # type: ignore[dict-item]
        TypeError,
        r"this is a dict: .*from_arrow\(pyarrow.table",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_by_name(case: str) -> None:
    """The error names the column and the row, and says what would do."""
    make, kind, told = REFUSED[case]
    with pytest.raises(kind, match=told):
        make()


@pytest.mark.parametrize(
    ("times", "first_s", "told"),
    [
        ([20260301, 20260302, 20260303, 20260304], FIRST_S, "read as dates"),
        ([46082.25, 46082.5, 46082.75, 46083.25], 46082.25, "look like days of Excel"),
    ],
)
def test_numbers_of_another_clock_are_a_warning(times: Any, first_s: float, told: str) -> None:
    """Dates as numbers are read, days of a spreadsheet are not: both are said."""
    with pytest.warns(UserWarning, match=f"'time': .*{told}") as warned:
        batch = EventBatch.from_pandas(FRAME.assign(time=times), time="time", key="machine")
    assert warned[0].filename == __file__
    assert batch.event_time[0] == first_s


def test_times_that_go_back_are_a_warning() -> None:
    """Of one key: rows of several keys one after another are in order."""
    back = FRAME.assign(time=MOMENTS[[0, 3, 2, 1]])
    with pytest.warns(UserWarning, match=r"times go back in row 3: .* in the order given") as told:
        EventBatch.from_pandas(back, key="machine")
    assert told[0].filename == __file__
    EventBatch.from_pandas(FRAME.sort_values(["machine", "time"]), key="machine")


@pytest.mark.parametrize("key", [5, np.int64(5), "5"])
def test_one_key_for_all_is_a_text_or_a_whole_number(key: Any) -> None:
    """As keys one an event are."""
    assert EventBatch.from_numpy(np.zeros((2, 1)), key=key).keys.to_pylist() == ["5", "5"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: EventBatch.from_arrow(pa.schema([("p", pa.float64())]).empty_table()),
        lambda: EventBatch.from_arrow(pa.table({"p": pa.chunked_array([], pa.float64())})),
        lambda: EventBatch.from_pandas(pd.DataFrame({"p": np.zeros(0)})),
        lambda: EventBatch.from_pandas(pd.DataFrame(columns=["p"]), fields=["p"]),
        lambda: EventBatch.from_numpy(np.zeros((0, 1)), fields=["p"]),
    ],
    ids=["arrow", "no chunks", "pandas", "pandas without types", "numpy"],
)
def test_a_table_without_rows_is_a_batch_without_events(make: Callable[[], EventBatch]) -> None:
    """Its columns are those that the types, or the names, say."""
    batch = make()
    assert (len(batch), batch.fields) == (0, ("p",))
    assert len(small_learner().process(batch).score) == 0


@pytest.mark.parametrize("verb", ["process", "score", "learn", "embed"])
@pytest.mark.parametrize(
    ("given", "constructor"),
    [
        (FRAME, "from_pandas"),
        (RECORDS, "from_records"),
        (RECORDS[0], "from_arrow"),
        (np.zeros((3, 2)), "from_numpy"),
        (pa.table({"a": [1.0]}), "from_arrow"),
        (7, "from_pandas, from_arrow, from_records or from_numpy"),
    ],
    ids=["frame", "records", "dict", "array", "table", "number"],
)
def test_what_is_no_batch_tells_which_constructor_makes_one(
    verb: str, given: Any, constructor: str
) -> None:
    """All verbs that take events say so."""
    learner = small_learner()
    with pytest.raises(TypeError, match=f"an EventBatch is needed; .*EventBatch.{constructor}"):
        getattr(learner, verb)(given)


def test_arrow_needs_no_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Constructors but for that of data frames, and results as Arrow, work without it."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    batch = EventBatch.from_arrow(pa.table({"rpm": [1.0, 2.0]}))
    results = small_learner().process(batch)
    assert results.to_arrow().num_rows == 2
    with pytest.raises(ImportError, match=r"streamssl\[pandas\]"):
        results.to_pandas()
