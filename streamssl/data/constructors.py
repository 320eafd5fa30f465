"""Events from what Python programs hold: data frames, Arrow tables, records and arrays.

B = events, C = numbers of an event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.data.columns import Columns
from streamssl.data.named_columns import (
    Roles,
    array_of,
    event_columns,
    keys_of,
    seconds,
    warn_of_unsorted,
)
from streamssl.data.ranges import check_range


class FromColumns(Columns):
    """Constructors of a batch of events, in the order in which they are given.

    In all of them `time` names the column of event times (timestamps; seconds, or by their size
    milli-, micro- or nanoseconds since 1970; ISO 8601; UTC where no zone is named), by default the
    only one that holds timestamps; without any the row number is the time. `key` names the column
    of keys (texts or whole numbers), by default events have none. `fields` names the numbers, by
    default all columns of numbers but those of time and key (booleans are 1 and 0). `texts` names
    text columns, which some modalities have. Event ids begin with `topic`; `first_offset` counts
    the events of the batches before.

    What does not fit is a TypeError or a ValueError that names the column and the row; times that
    go back are a warning.
    """

    __slots__ = ()

    @classmethod
    def from_arrow(
        cls,
        table: pa.Table | pa.RecordBatch,
        *,
        time: str | None = None,
        key: str | None = None,
        fields: Sequence[str] | None = None,
        texts: Sequence[str] = (),
        topic: str = "events",
        first_offset: int = 0,
    ) -> Self:
        """The rows of an Arrow table or record batch as events.

        Example:
            >>> from streamssl import EventBatch
            >>> table = pa.table({"rpm": [1480, 1475], "machine": ["m1", "m2"]})
            >>> EventBatch.from_arrow(table, key="machine").fields
            ('rpm',)
        """
        if not isinstance(table, (pa.Table, pa.RecordBatch)):
            raise TypeError(f"from_arrow takes an Arrow table or record batch; {hint(table)}")
        names = _distinct(table.schema.names)
        named = {name: array_of(table.column(name)) for name in names}
        roles = Roles(time, key, fields, texts)
        return cls._of(event_columns(named, roles, table.num_rows), topic, first_offset)

    @classmethod
    def from_pandas(
        cls,
        frame: Any,
        *,
        time: str | None = None,
        key: str | None = None,
        fields: Sequence[str] | None = None,
        texts: Sequence[str] = (),
        topic: str = "events",
        first_offset: int = 0,
    ) -> Self:
        """The rows of a pandas DataFrame as events; an index of timestamps is their time."""
        if not (hasattr(frame, "columns") and hasattr(frame, "index")):
            raise TypeError(f"from_pandas takes a DataFrame; {hint(frame)}")
        names = _distinct(list(map(str, frame.columns)))
        named = {name: array_of(frame.iloc[:, at]) for at, name in enumerate(names)}
        if time is None and getattr(frame.index.dtype, "kind", "") == "M":
            time = str(frame.index.name or "index")
            named[time] = array_of(frame.index)
        roles = Roles(time, key, fields, texts)
        return cls._of(event_columns(named, roles, len(frame)), topic, first_offset)

    @classmethod
    def from_records(
        cls,
        records: Iterable[Mapping[str, Any]],
        *,
        time: str | None = None,
        key: str | None = None,
        fields: Sequence[str] | None = None,
        texts: Sequence[str] = (),
        topic: str = "events",
        first_offset: int = 0,
    ) -> Self:
        """Dicts as events, one each; what a dict lacks is missing.

        Example:
            >>> from streamssl import EventBatch
            >>> batch = EventBatch.from_records([{"rpm": 1480.0}, {"rpm": 1475.0, "valve": 0.4}])
            >>> batch.fields, batch.values_BC.tolist()
            (('rpm', 'valve'), [[1480.0, nan], [1475.0, 0.4]])
        """
        if isinstance(records, (str, bytes, Mapping)) or not isinstance(records, Iterable):
            raise TypeError(f"from_records takes a list of dicts, one an event; {hint(records)}")
        rows = list(records)
        wrong = next((row for row in rows if not isinstance(row, Mapping)), None)
        if wrong is not None:
            raise TypeError(f"record {rows.index(wrong)} is no dict but {_article(wrong)}")
        names = dict.fromkeys(name for row in rows for name in row)
        named = {str(name): array_of([row.get(name) for row in rows]) for name in names}
        roles = Roles(time, key, fields, texts)
        return cls._of(event_columns(named, roles, len(rows)), topic, first_offset)

    @classmethod
    def from_numpy(
        cls,
        values: npt.ArrayLike,
        *,
        fields: Sequence[str] | None = None,
        time: Any = None,
        key: str | Sequence[str] | npt.NDArray[Any] = "",
        topic: str = "events",
        first_offset: int = 0,
    ) -> Self:
        """The rows of an array as events.

        Args:
            values: `[B, C]` numbers, or `[B]` of one field; NaN (or masked) where missing.
            fields: Names of the C columns; `c0`, `c1`, ... by default.
            time: `[B]` times, in any of the forms above; the row numbers by default.
            key: One key for all events, or `[B]` keys.
            topic: What event ids begin with.
            first_offset: How many events came before.

        Example:
            >>> from streamssl import EventBatch
            >>> EventBatch.from_numpy(np.zeros((2, 3)), key="m1").ids()
            ['events/0/0/0', 'events/0/1/0']
        """
        values_BC = _block(values)
        names = tuple(map(str, fields or (f"c{at}" for at in range(values_BC.shape[1]))))
        if len(_distinct(names)) != values_BC.shape[1]:
            raise ValueError(f"fields names {len(names)}, but values has {values_BC.shape[1]}")
        num_rows = len(values_BC)
        keys = [key] * num_rows if isinstance(key, str) else key
        keys = keys_of({"key": _given("key", keys, num_rows)}, "key", num_rows)
        columns = {
            "keys": keys,
            "event_time": None if time is None else seconds("time", _given("time", time, num_rows)),
            "fields": names,
            "values_BC": values_BC,
        }
        return cls._of(columns, topic, first_offset)

    @classmethod
    def _of(cls, columns: dict[str, Any], topic: str, first_offset: int) -> Self:
        check_range(columns["fields"], columns["values_BC"])
        row_B = np.arange(len(columns["values_BC"]))
        if columns["event_time"] is None:
            columns["event_time"] = (first_offset + row_B).astype(np.float64)
        else:
            warn_of_unsorted(columns["keys"], columns["event_time"])
        columns |= {"topic": topic, "offset": first_offset + row_B}
        return cls(**columns, **dict.fromkeys(("partition", "index"), np.zeros_like(row_B)))


def hint(value: Any) -> str:
    """Which constructor makes events of a value that is none.

    Example:
        >>> hint([{"rpm": 1480.0}])
        'this is a list: make events of it with EventBatch.from_records'
    """
    if isinstance(value, (pa.Table, pa.RecordBatch)):
        name = "from_arrow"
    elif isinstance(value, np.ndarray):
        name = "from_numpy"
    elif hasattr(value, "columns") and hasattr(value, "index"):
        name = "from_pandas"
    elif isinstance(value, Mapping):
        name = "from_arrow(pyarrow.table(...)), or of a single event with EventBatch.from_records"
    elif isinstance(value, (list, tuple)):
        name = "from_records"
    else:
        name = "from_pandas, from_arrow, from_records or from_numpy"
    return f"this is {_article(value)}: make events of it with EventBatch.{name}"


def _article(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _distinct(names: Sequence[str]) -> Sequence[str]:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"{', '.join(map(repr, repeated))} names more than one column")
    return names


def _block(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """`[B, C]` numbers of an array, masked ones NaN."""
    given = np.ma.asarray(values) if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    if given.dtype.kind not in "biuf":
        raise TypeError(f"from_numpy takes an array of numbers; this one holds {given.dtype}")
    if given.ndim not in (1, 2):
        raise ValueError(f"values is {given.shape}; a row an event and a column a field are needed")
    block = np.ma.filled(given.astype(np.float64), np.nan)
    return block[:, None] if block.ndim == 1 else block


def _given(name: str, column: Any, num_rows: int) -> pa.Array:
    found = array_of(column)
    if isinstance(found, str):
        raise TypeError(f"{name} is no column of one type: {found}")
    if len(found) != num_rows:
        raise ValueError(f"{name} has {len(found)} rows, values has {num_rows}")
    return found
