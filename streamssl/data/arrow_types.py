"""What Arrow's types mean to us: numbers, texts, and moments in time.

B = rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

NESTED = b"streamssl:nested"
_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}


def has_column(schema: pa.Schema, name: str) -> bool:
    """Whether rows have a column of that name, or a path of structs that leads to one."""
    return _find(schema, name) is not None


def column_at(rows: pa.RecordBatch, name: str) -> pa.Array:
    """The column of that name, or else the one at the end of that path through structs."""
    first, *rest = _find(rows.schema, name) or [name]
    column = rows.column(first)
    return pc.struct_field(column, rest) if rest else column


def _find(schema: pa.Schema | pa.StructType, name: str) -> list[str] | None:
    """The steps to a column, by its whole name first."""
    if name in schema.names:
        return [name]
    first, _, rest = name.partition(".")
    inner = schema.field(first).type if rest and first in schema.names else None
    if inner is None or not types.is_struct(inner):
        return None
    steps = _find(inner, rest)
    return steps and [first, *steps]


def flattened(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with the columns of structs in place of the structs, named by their paths.

    Those columns are marked (`is_nested`); where a path is a column's whole name, that counts.

    Example:
        >>> rows = pa.RecordBatch.from_pylist([{"motor": {"rpm": 900, "site": "A"}, "p": 1.5}])
        >>> flattened(rows).schema.names
        ['motor.rpm', 'motor.site', 'p']
    """
    if not any(types.is_struct(field.type) for field in rows.schema):
        return rows
    leaves = [
        leaf for f, c in zip(rows.schema, rows.columns, strict=True) for leaf in _leaves(f, c)
    ]
    kept = [(f, c) for f, c in leaves if not (is_nested(f) and f.name in rows.schema.names)]
    schema = pa.schema([f for f, _ in kept], metadata=rows.schema.metadata)
    return pa.RecordBatch.from_arrays([c for _, c in kept], schema=schema)


def is_nested(field: pa.Field) -> bool:
    """Whether a column of `flattened` rows is that of a struct."""
    return NESTED in (field.metadata or {})


def _leaves(field: pa.Field, column: pa.Array) -> Iterator[tuple[pa.Field, pa.Array]]:
    if not types.is_struct(field.type):
        yield field, column
        return
    inner = [field.type.field(place) for place in range(field.type.num_fields)]
    for leaf, cells in zip(inner, column.flatten(), strict=True):
        mark = {**(leaf.metadata or {}), NESTED: b"1"}
        yield from _leaves(leaf.with_name(f"{field.name}.{leaf.name}").with_metadata(mark), cells)


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type can be numbers (booleans are 1 and 0)."""
    if types.is_dictionary(kind):
        return is_number(kind.value_type)
    return bool(
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_boolean(kind)
        or types.is_decimal(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether a column of this type can be all numbers of an event."""
    is_any = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(is_any and is_number(kind.value_type))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds plain text."""
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_textual(kind: pa.DataType) -> bool:
    """Whether a column of this type can be a text column: text, numbers, or nothing but nulls."""
    if types.is_dictionary(kind):
        return is_textual(kind.value_type)
    return is_text(kind) or is_number(kind) or bool(types.is_null(kind))


def is_moment(kind: pa.DataType) -> bool:
    """Whether a column of this type holds timestamps or dates."""
    return bool(types.is_timestamp(kind) or types.is_date(kind))


def float64(column: pa.Array) -> npt.NDArray[np.float64]:
    """`[B]` numbers, NaN where null."""
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_boolean(column.type):
        column = column.cast(pa.uint8())
    if not types.is_floating(column.type):
        column = column.cast(pa.float64(), safe=False)
    # Nulls of floating columns become NaN here.
    return np.asarray(column.to_numpy(zero_copy_only=False), np.float64)


def number_texts(column: pa.Array) -> pa.StringArray:
    """Numbers and booleans as JSON has them, null where null or NaN."""
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if not types.is_floating(column.type):
        return column.cast(pa.utf8())
    numbers_B = column.to_numpy(zero_copy_only=False)
    return pa.array(numbers_B.astype(str), pa.utf8(), mask=np.isnan(numbers_B))


def moment_seconds(column: pa.Array) -> npt.NDArray[np.float64]:
    """`[B]` seconds since 1970 of timestamps or dates, NaN where null."""
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    return float64(column.cast(pa.int64())) / _UNITS[column.type.unit]
