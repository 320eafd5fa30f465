"""Named columns of a table to the columns of events, each checked, with errors that name them.

B = events, C = numbers of an event.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import types

from streamssl.data.arrow_types import float64, is_moment, is_number, is_text, moment_seconds
from streamssl.data.auto_fields import Found, Named, auto_fields, listing, told
from streamssl.data.channels import LeftOut
from streamssl.data.dates import odd_times
from streamssl.data.times import (
    TIMES_READ,
    bad_times,
    column_seconds,
    date_digits,
    epoch_seconds,
    parse_times,
)


class Roles(NamedTuple):
    """What the columns of a table are to events; None: to be found out.

    Attributes:
        time: Name of the event times.
        key: Name of the keys, None where there are none.
        fields: Names of the numbers.
        texts: Names of the text columns.
    """

    time: str | None
    key: str | None
    fields: tuple[str, ...] | None
    texts: tuple[str, ...]

    @classmethod
    def of(cls, time: Any, key: Any, fields: Any, texts: Any) -> Roles:
        """The roles as they were given, each name as text.

        Raises:
            TypeError: A name is none, or not in a list where there can be several.
            ValueError: A name is there twice.
        """
        return cls(
            _name("time", time),
            _name("key", key),
            None if fields is None else name_list("fields", fields),
            name_list("texts", texts),
        )

    def names(self) -> list[str]:
        """All names that were given."""
        single = [name for name in (self.time, self.key) if name is not None]
        return [*single, *(self.fields or ()), *self.texts]


def name_list(role: str, names: Any) -> tuple[str, ...]:
    """Names in their order, each once.

    Raises:
        TypeError: It is one name, or has no order.
        ValueError: A name is there twice.
    """
    if isinstance(names, (str, bytes, Set)) or not isinstance(names, Iterable):
        raise TypeError(f"{role} takes a list of names, such as ['rpm']; this is {names!r}")
    found = tuple(map(str, names))
    twice = repeated(found)
    if twice:
        raise ValueError(f"{role} names {twice} more than once; name each column once")
    return found


def repeated(names: Iterable[str]) -> str:
    """The names that are there more than once, as text; empty where there are none."""
    return ", ".join(repr(name) for name, count in Counter(names).items() if count > 1)


def article(value: Any) -> str:
    """What a value is, for an error: its type's name with an article."""
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def array_of(column: Any) -> pa.Array | str:
    """A column as Arrow has it (NaN of pandas is null), or why it is none."""
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    if isinstance(column, pa.Array):
        return column
    try:
        found = pa.array(column, from_pandas=True)
    except (TypeError, ValueError, NotImplementedError, OverflowError) as no:
        return " ".join(str(no).split())[:200]
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def event_columns(
    named: Named, roles: Roles, num_rows: int
) -> tuple[dict[str, Any], tuple[LeftOut, ...]]:
    """Keys, times, names and values of events, and their texts; and what is left out of them.

    Raises:
        TypeError: A column holds another type.
        ValueError: A column is missing, or a cell cannot be.
    """
    time = roles.time if roles.time is not None else _only_moment(named, roles)
    keys = keys_of(named, roles.key, num_rows)
    time_B = None if time is None else seconds(time, _column(named, time))
    found = (
        auto_fields(named, {time, roles.key}, roles.texts, keys, time_B)
        if roles.fields is None
        else Found(roles.fields)
    )
    columns = {
        "keys": keys,
        "event_time": time_B,
        "fields": found.fields,
        "values_BC": _block(named, found.fields, num_rows),
        "texts": _texts(named, roles.texts),
    }
    return columns, found.left_out


def warn_of_left_out(left_out: Sequence[LeftOut]) -> None:
    """Say which columns are no part of the events, why, and what makes them one."""
    if left_out:
        warnings.warn(
            f"columns left out of the events: {told(left_out)}; name in fields=[...] the "
            "measurements among them, or all fields to be without this warning",
            stacklevel=4,
        )


def keys_of(named: Named, key: str | None, num_rows: int) -> pa.StringArray:
    """`[B]` keys as texts; the empty string where there is none."""
    if key is None:
        return pa.repeat(pa.scalar("", pa.utf8()), num_rows)
    return _as_texts(key, _column(named, key)).fill_null("")


def seconds(name: str, column: pa.Array) -> npt.NDArray[np.float64]:
    """`[B]` seconds since 1970 of times in any form.

    Raises:
        TypeError: The column holds no times.
        ValueError: A cell is missing or no time.
    """
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if is_moment(kind):
        time_B = moment_seconds(column)
    elif is_number(kind) and not types.is_boolean(kind):
        time_B = column_seconds(float64(column))
        _warn_of_guess(name, float64(column))
    elif is_text(kind):
        time_B = parse_times(column.cast(pa.utf8()).fill_null("").to_pylist())
    else:
        raise _wrong_type(name, column, "times")
    bad = np.flatnonzero(bad_times(time_B))
    if len(bad):
        raise ValueError(
            f"{name!r} holds no time in {_rows(bad)}: {column[int(bad[0])].as_py()!r}; write "
            f"timestamps, {TIMES_READ}"
        )
    return time_B


def _warn_of_guess(name: str, number_B: npt.NDArray[np.float64]) -> None:
    """Warn where numbers are taken for dates, or may be another clock's."""
    told = odd_times(epoch_seconds(number_B))
    if date_digits(number_B):
        told = f"numbers such as {number_B[0]:.0f} were read as dates: convert them to timestamps"
    if told:
        warnings.warn(f"{name!r}: {told}", stacklevel=5)


def warn_of_unsorted(keys: pa.StringArray, time_B: npt.NDArray[np.float64]) -> None:
    """Warn where the times of a key go back: events are taken in the order given."""
    if not (np.diff(time_B) < 0.0).any():
        return
    code_B = keys.dictionary_encode().indices.to_numpy(zero_copy_only=False)
    order = np.argsort(code_B, kind="stable")
    back_B = (np.diff(time_B[order]) < 0.0) & (np.diff(code_B[order]) == 0)
    rows = np.sort(order[1:][back_B])
    if len(rows):
        warnings.warn(
            f"times go back in {_rows(rows)}: events are scored in the order given; sort them by "
            "time first if they did not come in this order",
            stacklevel=4,
        )


def _block(named: Named, fields: Sequence[str], num_rows: int) -> npt.NDArray[np.float64]:
    values_BC = np.empty((num_rows, len(fields)))
    for place, name in enumerate(fields):
        column = _column(named, name)
        if not (is_number(column.type) or types.is_null(column.type)):
            raise _wrong_type(name, column, "numbers")
        values_BC[:, place] = float64(column)
    return values_BC


def _name(role: str, given: Any) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if not isinstance(given, tuple) and np.ndim(given):
        raise TypeError(f"{role} takes the name of a column; this is {article(given)}")
    return str(given)


def _texts(named: Named, names: Sequence[str]) -> pa.RecordBatch | None:
    columns = [_as_texts(name, _column(named, name)) for name in names]
    return pa.RecordBatch.from_arrays(columns, names=list(names)) if names else None


def _as_texts(name: str, column: pa.Array) -> pa.StringArray:
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if not (is_text(kind) or types.is_integer(kind) or types.is_null(kind)):
        raise _wrong_type(name, column, "texts or whole numbers")
    return column.cast(kind).cast(pa.utf8())


def _column(named: Named, name: str) -> pa.Array:
    if name not in named:
        raise ValueError(f"there is no column {name!r}; {listing(named)}")
    found = named[name]
    if isinstance(found, str):
        raise TypeError(f"column {name!r} is no column of one type: {found}")
    return found


def _only_moment(named: Named, roles: Roles) -> str | None:
    """The one column of timestamps that has no other role; None where there is none."""
    taken = {roles.key, *roles.texts, *(roles.fields or ())}
    found = [
        name
        for name, column in named.items()
        if name not in taken and not isinstance(column, str) and is_moment(column.type)
    ]
    if len(found) > 1:
        raise ValueError(f"{', '.join(map(repr, found))} hold timestamps: name one as time")
    return found[0] if found else None


def _wrong_type(name: str, column: pa.Array, wanted: str) -> TypeError:
    return TypeError(
        f"column {name!r} holds {column.type}, not {wanted}; convert it or leave it out"
    )


def _rows(rows: npt.NDArray[np.int64]) -> str:
    return f"row {rows[0]}" + (f" (and {len(rows) - 1} more)" if len(rows) > 1 else "")
