"""Dataclasses of columns as tables: pick rows, join tables, come back from plain values.

B = rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Self, get_type_hints

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Columns:
    """Base of frozen dataclasses whose fields are `[B, ...]` columns or such tables themselves.

    A column is an array, an Arrow array or record batch, a list, a table, or a mapping of them.
    All else (a name, a tuple) holds for every row; of joined tables the last one's holds.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Points(Columns):
        ...     x: np.ndarray
        ...     unit: str = "mm"
        >>> joined = Points.concat([Points(np.arange(2)), Points(np.arange(3))])
        >>> joined.take(np.array([0, 4]))
        Points(x=array([0, 2]), unit='mm')
    """

    __slots__ = ()

    def take(self, rows: Any) -> Self:
        """The rows that an index array, mask or slice picks; a slice gives views of arrays."""
        return type(self)(**{name: take_rows(value, rows) for name, value in _items(self)})

    @classmethod
    def concat(cls, tables: Sequence[Self]) -> Self:
        """The rows of at least one table after another."""
        if len(tables) == 1:
            return tables[0]
        columns = [dict(_items(table)) for table in tables]
        return cls(**{name: _concat([c[name] for c in columns]) for name in columns[0]})

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Self:
        """The table whose fields were turned into plain values (mappings, lists) on a wire."""
        kinds = get_type_hints(cls)
        return cls(**{name: _as_kind(kinds[name], value) for name, value in values.items()})


def take_rows(value: Any, rows: Any) -> Any:
    """The rows of one column; anything else as it is."""
    if isinstance(value, np.ndarray):
        return value[rows]
    if isinstance(value, Columns):
        return value.take(rows)
    if isinstance(value, (pa.Array, pa.RecordBatch)):
        # A copy, of a slice too: what is packed from it must not tell how the stream was cut.
        return value.take(pa.array(np.arange(len(value))[rows]))
    if isinstance(value, list):
        return [value[row] for row in _index(len(value), rows)]
    if isinstance(value, Mapping):
        return {name: take_rows(column, rows) for name, column in value.items()}
    return value


def as_slice(rows: npt.NDArray[np.int64]) -> Any:
    """Consecutive rows as a slice, of which arrays are views; others as they are."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return rows


def _index(count: int, rows: Any) -> Sequence[int]:
    if isinstance(rows, slice):
        return range(count)[rows]
    index: list[int] = np.arange(count)[rows].tolist()
    return index


def _concat(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(values)
    if isinstance(first, Columns):
        return type(first).concat(values)
    if isinstance(first, pa.Array):
        return pa.concat_arrays(values)
    if isinstance(first, pa.RecordBatch):
        return pa.concat_batches(values)
    if isinstance(first, list):
        return [item for value in values for item in value]
    if isinstance(first, Mapping):
        return {name: _concat([value[name] for value in values]) for name in first}
    return values[-1]


def _items(table: Any) -> list[tuple[str, Any]]:
    kind: Any = type(table)  # mypy takes a class for what its objects are: without a hash
    return [(name, getattr(table, name)) for name in _names(kind)]


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _as_kind(kind: Any, value: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(kind, type) and issubclass(kind, Columns):
        return kind.from_plain(value)
    if getattr(kind, "__origin__", None) is not tuple:
        return value
    item = kind.__args__[0]
    return tuple(item(*entry) for entry in value) if hasattr(item, "_fields") else tuple(value)
