"""Events from what Python programs hold: data frames, Arrow tables, records and arrays.

B = events, C = numbers of an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.data.auto_fields import Found, auto_fields
from streamssl.data.channels import LeftOut
from streamssl.data.columns import Columns
from streamssl.data.frames import frame_columns
from streamssl.data.named_columns import (
    Roles,
    array_of,
    article,
    event_columns,
    keys_of,
    name_list,
    repeated,
    seconds,
    warn_of_left_out,
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

    Without `fields` those that look like a timestamp or a row number are left out, as with
    `modality.fields: auto`; what is left out is told in one warning.

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
        roles = Roles.of(time, key, fields, texts)
        return cls._of(*event_columns(named, roles, table.num_rows), topic, first_offset)

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
        """The rows of a pandas DataFrame as events.

        Levels of its index count as columns where `time`, `key`, `fields` or `texts` name them;
        the only one of timestamps is the time. Others are left out with a warning.
        """
        if not (hasattr(frame, "columns") and hasattr(frame, "index")):
            raise TypeError(f"from_pandas takes a DataFrame; {hint(frame)}")
        named, roles = frame_columns(frame, Roles.of(time, key, fields, texts))
        return cls._of(*event_columns(named, roles, len(frame)), topic, first_offset)

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
        wrong = next((at for at, row in enumerate(rows) if not isinstance(row, Mapping)), None)
        if wrong is not None:
            raise TypeError(
                f"record {wrong} is no dict but {article(rows[wrong])}; leave it out, or give {{}} "
                "for an event without values"
            )
        names = dict.fromkeys(name for row in rows for name in row)
        texts_of = dict(zip(_distinct(list(map(str, names))), names, strict=True))
        named = {text: array_of([row.get(name) for row in rows]) for text, name in texts_of.items()}
        roles = Roles.of(time, key, fields, texts)
        return cls._of(*event_columns(named, roles, len(rows)), topic, first_offset)

    @classmethod
    def from_numpy(
        cls,
        values: npt.ArrayLike,
        *,
        fields: Sequence[str] | None = None,
        time: Any = None,
        key: Any = "",
        topic: str = "events",
        first_offset: int = 0,
    ) -> Self:
        """The rows of an array as events.

        Args:
            values: `[B, C]` numbers, or `[B]` of one field; NaN (or masked) where missing.
            fields: Names of the C columns; by default `c0`, `c1`, ... but for those that look
                like a timestamp or a row number.
            time: `[B]` times, in any of the forms above; the row numbers by default.
            key: One key for all events, or `[B]` keys: texts or whole numbers.
            topic: What event ids begin with.
            first_offset: How many events came before.

        Example:
            >>> from streamssl import EventBatch
            >>> EventBatch.from_numpy(np.zeros((2, 3)), key="m1").ids()
            ['events/0/0/0', 'events/0/1/0']
        """
        return cls._of(*_array_columns(values, fields, time, key), topic, first_offset)

    @classmethod
    def _of(
        cls,
        columns: dict[str, Any],
        left_out: Sequence[LeftOut],
        topic: str,
        first_offset: int,
    ) -> Self:
        if not isinstance(first_offset, (int, np.integer)) or first_offset < 0:
            raise ValueError(
                f"first_offset is {first_offset!r}; it is how many events came before, 0 or more"
            )
        check_range(columns["fields"], columns["values_BC"])
        warn_of_left_out(left_out)
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
    return f"this is {article(value)}: make events of it with EventBatch.{name}"


def _distinct(names: Sequence[str]) -> Sequence[str]:
    if twice := repeated(names):
        raise ValueError(f"{twice} names more than one column")
    return names


def _array_columns(
    values: Any, fields: Any, time: Any, key: Any
) -> tuple[dict[str, Any], tuple[LeftOut, ...]]:
    """As `event_columns`, of the columns of an array."""
    values_BC = _block(values)
    num_rows, num_columns = values_BC.shape
    keys = keys_of({"key": _keys(key, num_rows)}, "key", num_rows)
    time_B = None if time is None else seconds("time", _given("time", time, num_rows))
    if fields is None:
        names = [f"c{at}" for at in range(num_columns)]
        named = {name: pa.array(values_BC[:, at]) for at, name in enumerate(names)}
        found = auto_fields(named, (), (), keys, time_B)
        values_BC = values_BC[:, [names.index(name) for name in found.fields]]
    else:
        found = Found(name_list("fields", fields))
    if len(found.fields) != values_BC.shape[1]:
        raise ValueError(f"fields names {len(found.fields)}, but values has {num_columns} columns")
    columns = {"keys": keys, "event_time": time_B}
    return columns | {"fields": found.fields, "values_BC": values_BC}, found.left_out


def _keys(key: Any, num_rows: int) -> pa.Array:
    """`[B]` keys, of one for all or of one an event."""
    if isinstance(key, (list, tuple)) or np.ndim(key):
        return _given("key", key, num_rows)
    return _given("key", ["" if key is None else key] * num_rows, num_rows)


def _block(values: Any) -> npt.NDArray[np.float64]:
    """`[B, C]` numbers of an array, masked ones NaN."""
    if isinstance(values, (pa.Table, pa.RecordBatch, Mapping)) or hasattr(values, "columns"):
        raise TypeError(f"from_numpy takes an array; {hint(values)}")
    given = values if isinstance(values, np.ma.MaskedArray) else _array(values)
    if given.dtype.kind not in "biuf":
        raise TypeError(
            f"from_numpy takes an array of numbers, NaN where missing; this one holds {given.dtype}"
        )
    if given.ndim not in (1, 2):
        raise ValueError(f"values is {given.shape}; a row an event and a column a field are needed")
    block = np.ma.filled(given.astype(np.float64), np.nan)
    return block[:, None] if block.ndim == 1 else block


def _array(values: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        sizes = [len(row) if isinstance(row, Sized) else 1 for row in values]
        other = next((at for at, size in enumerate(sizes) if size != sizes[0]), None)
        told = (
            f"row 0 has {sizes[0]}, row {other} has {sizes[other]}" if other else "a cell is a list"
        )
        raise ValueError(
            f"the rows of values are not of one length: {told}; give every event a number for "
            "each field, NaN where it is missing"
        ) from error


def _given(name: str, column: Any, num_rows: int) -> pa.Array:
    if not isinstance(column, (list, tuple)) and not np.ndim(column):
        raise TypeError(f"{name} is {column!r}; a list or an array is needed, one an event")
    found = array_of(column)
    if isinstance(found, str):
        raise TypeError(f"{name} is no column of one type: {found}")
    if len(found) != num_rows:
        raise ValueError(f"{name} has {len(found)} rows, values has {num_rows}")
    return found
