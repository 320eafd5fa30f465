"""Results as a table with names in place of numbers: one row an event.

Which columns there are follows from the fields of the dataclasses, so that a new one is a new
column everywhere.

A = explained events, B = events, N = names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar, get_type_hints

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.data.columns import Columns

NUMBERS, TEXTS = pa.map_(pa.utf8(), pa.float64()), pa.map_(pa.utf8(), pa.utf8())
_KINDS: dict[Any, pa.DataType] = {
    npt.NDArray[np.float64]: pa.float64(),
    npt.NDArray[np.bool_]: pa.bool_(),
    npt.NDArray[np.int64]: pa.utf8(),  # Numbers of names.
    list[str | None]: pa.utf8(),
}


class NamedValues(Columns):
    """Base of values by name, which a table has as maps: of numbers, and of texts."""

    __slots__ = ()

    fields: tuple[str, ...]
    numbers_AN: npt.NDArray[np.float64]
    texts: list[dict[str, str | None]]

    def maps(self) -> tuple[pa.MapArray, pa.Array]:
        """`[A]` maps of the numbers (null where missing or unknown), and maps of the texts."""
        texts = pa.array([list(text.items()) for text in self.texts], TEXTS)
        return number_maps(self.fields, self.numbers_AN), texts


class AsTable(Columns):
    """Base of results: columns with a row an event, and explanations of some of them.

    A subclass has the fields `batch`, `parts`, `raw_scores`, `explained` and `explanation`, and
    columns; those of whole numbers are places in `coded`, or of the parts (`top_field`,
    `incident_field`).
    """

    __slots__ = ()

    coded: ClassVar[Mapping[str, Sequence[str]]]

    @classmethod
    def table_schema(cls, scorers: Sequence[str], *, texts: bool = False) -> pa.Schema:
        """The columns of `columns`, in order.

        Args:
            scorers: Names of the scorers, each of which has a column.
            texts: Whether the stream has text columns.
        """
        kind: Any = cls  # mypy takes a class for what its objects are: without a hash
        return _schema(kind, tuple(scorers), texts)

    def columns(self) -> dict[str, pa.Array]:
        """`[B]` columns by name; those of an explanation are null where there is none."""
        table: Any = self
        names = {"top_field": table.parts, "incident_field": table.parts, **self.coded}
        schema = self.table_schema([*table.raw_scores], texts=table.batch.texts is not None)
        own = {n: getattr(self, n) for n in schema.names if hasattr(type(self), n)}
        found: dict[str, Any] = {
            "key": table.batch.keys,
            "event_time": table.batch.event_time,
            **{n: named(c, names[n]) if n in names else c for n, c in own.items()},
            **{f"raw_{name}": column for name, column in table.raw_scores.items()},
        }
        num_rows = len(table.batch)
        if len(table.explained):
            why = _explained(table.explanation, table.parts)
            found |= _spread(why, table.explained, num_rows)
        return {
            f.name: _as_array(found[f.name], f.type)
            if f.name in found
            else pa.nulls(num_rows, f.type)
            for f in schema
        }

    def to_arrow(self) -> pa.Table:
        """One row an event: its id, key and time, what was found, and of anomalies why.

        Places are names: `top_field` and `severity` are texts; `attribution`, `expected` and
        `actual` are maps by name, null but for anomalies. Embeddings are in `embedding_BD`.
        """
        table: Any = self
        return pa.table({"id": pa.array(table.batch.ids(), pa.utf8()), **self.columns()})

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame, with maps as dicts.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401 - whether it is there
        except ImportError as error:
            raise ImportError(
                "to_pandas needs pandas: pip install 'streamssl[pandas]'; to_arrow does without"
            ) from error
        return self.to_arrow().to_pandas(maps_as_pydicts="strict")


@cache
def _schema(kind: Any, scorers: tuple[str, ...], texts: bool) -> pa.Schema:
    hints = get_type_hints(kind)
    plain = {
        name: _KINDS[hint] for name, hint in hints.items() if name != "explained" and hint in _KINDS
    }
    raw = {f"raw_{name}": pa.float64() for name in scorers}
    return pa.schema(
        {"key": pa.utf8(), "event_time": pa.float64(), **plain, **raw}
        | _explained_kinds(hints["explanation"], texts=texts)
    )


def number_maps(names: Sequence[str], values_AN: npt.NDArray[np.float64]) -> pa.MapArray:
    """`[A]` maps of the names to each row's numbers; a NaN is null."""
    num_rows, width = len(values_AN), len(names)
    keys = pa.array(list(names) * num_rows, pa.utf8())
    numbers = pa.array(np.ascontiguousarray(values_AN, np.float64).reshape(-1), from_pandas=True)
    offsets = pa.array(np.arange(num_rows + 1, dtype=np.int32) * width)
    return pa.MapArray.from_arrays(offsets, keys, numbers)


def named(place_B: npt.NDArray[np.int64], names: Sequence[str]) -> pa.Array:
    """`[B]` names by their places, null where there is no such place."""
    known = (place_B >= 0) & (place_B < len(names))
    if not known.any():
        return pa.nulls(len(place_B), pa.utf8())
    return pa.array(names, pa.utf8()).take(pa.array(place_B, mask=~known))


def _explained_kinds(kind: Any, *, texts: bool) -> dict[str, pa.DataType]:
    """Columns of an explanation."""
    found: dict[str, pa.DataType] = {}
    for field, hint in get_type_hints(kind).items():
        name = field.removesuffix("_AP").removesuffix("_AN")
        if isinstance(hint, type) and issubclass(hint, NamedValues):
            found[name] = NUMBERS
            found |= {f"{name}_text": TEXTS} if texts else {}
        else:
            found[name] = pa.list_(pa.utf8()) if hint == list[list[str]] else NUMBERS
    return found


def _explained(explanation: Any, parts: Sequence[str]) -> dict[str, pa.Array]:
    """`[A]` columns of an explanation: shares and values as maps, ids as lists."""
    found: dict[str, pa.Array] = {}
    for field in fields(explanation):
        value = getattr(explanation, field.name)
        name = field.name.removesuffix("_AP").removesuffix("_AN")
        if isinstance(value, NamedValues):
            found[name], found[f"{name}_text"] = value.maps()
        elif isinstance(value, np.ndarray):
            numbers = field.name.endswith("_AN")
            found[name] = number_maps(explanation.expected.fields if numbers else parts, value)
        else:
            found[name] = pa.array(value, pa.list_(pa.utf8()))
    return found


def _spread(
    columns: Mapping[str, pa.Array], rows_A: npt.NDArray[np.int64], num_rows: int
) -> dict[str, pa.Array]:
    """`[B]` columns that have the values of some rows, null elsewhere."""
    place_B = np.full(num_rows, -1)
    place_B[rows_A] = np.arange(len(rows_A))
    index = pa.array(place_B, mask=place_B < 0)
    return {name: column.take(index) for name, column in columns.items()}


def _as_array(column: Any, kind: pa.DataType) -> pa.Array:
    return column if isinstance(column, pa.Array) else pa.array(column, kind)
