"""Dataclasses of arrays as tables: pick rows, join tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np


class Columns:
    """Base of frozen dataclasses whose fields are `[B, ...]` arrays or such tables themselves.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Points(Columns):
        ...     x: np.ndarray
        >>> joined = Points.concat([Points(np.arange(2)), Points(np.arange(3))])
        >>> joined.take(np.array([0, 4])).x
        array([0, 2])
    """

    __slots__ = ()

    def take(self, rows: Any) -> Self:
        """The rows that an index array, mask or slice picks."""
        return type(self)(**{name: _take(value, rows) for name, value in _items(self)})

    @classmethod
    def concat(cls, tables: Sequence[Self]) -> Self:
        """The rows of at least one table after another."""
        if len(tables) == 1:
            return tables[0]
        columns = [dict(_items(table)) for table in tables]
        return cls(**{name: _concat([c[name] for c in columns]) for name in columns[0]})


def _items(table: Any) -> list[tuple[str, Any]]:
    return [(f.name, getattr(table, f.name)) for f in fields(table)]


def _take(value: Any, rows: Any) -> Any:
    return value.take(rows) if isinstance(value, Columns) else value[rows]


def _concat(values: Sequence[Any]) -> Any:
    first = values[0]
    return type(first).concat(values) if isinstance(first, Columns) else np.concatenate(values)
