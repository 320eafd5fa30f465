"""Rows of a table as they are before the columns of their stream are known.

B = rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from streamssl.codecs import cells as table_cells
from streamssl.codecs.base import Sample
from streamssl.codecs.cells import is_untyped
from streamssl.codecs.fields import array_names
from streamssl.data.arrow_types import flattened, is_list, is_nested, is_number
from streamssl.data.channels import Cell, Kind, SampledEvent
from streamssl.data.events import BoolArray, FloatArray
from streamssl.data.typed_cells import finite_cells, typed_cells


def sampled_rows(
    rows: pa.RecordBatch,
    *,
    partition: int = 0,
    keys: Sequence[str],
    time_B: FloatArray,
    good_B: BoolArray,
    texts: Collection[str] = (),
    values_field: str | None = None,
) -> Sample:
    """The readable rows, and which columns are numbers by their type.

    Args:
        rows: Few of them; every column may be one of the stream's.
        partition: Where they came from.
        keys: Of each row.
        time_B: Event times, NaN where there is none to compare with.
        good_B: Which rows can be read.
        texts: Names of the text columns.
        values_field: The column of lists that holds all numbers, if one does.
    """
    rows = flattened(rows)
    cells_B = _list_cells(rows, values_field) if values_field else _row_cells(rows)
    events = (
        SampledEvent(partition, keys[row], float(time_B[row]), cells_B[row])
        for row in np.flatnonzero(good_B).tolist()
    )
    own = [field for field in rows.schema if not is_nested(field)]
    typed = {f.name for f in own if not is_untyped(f) and is_number(f.type)}
    return Sample(
        tuple(event for event in events if event.has_column(texts)),
        frozenset(typed),
        frozenset() if values_field else frozenset(rows.schema.names),
    )


def _row_cells(rows: pa.RecordBatch) -> list[dict[str, Cell]]:
    names = rows.schema.names
    columns = [_cells(rows.column(f.name), f) for f in rows.schema]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _list_cells(rows: pa.RecordBatch, name: str) -> list[dict[str, Cell]]:
    """The numbers of each row's list by their places; nothing where it holds others."""
    if name not in rows.schema.names or not is_list(rows.schema.field(name).type):
        return [{}] * rows.num_rows
    lists = [[] if cell is None else _numbers(cell) for cell in rows.column(name).to_pylist()]
    return [dict(zip(array_names(name, len(row)), row, strict=True)) for row in lists]


def _numbers(cells: list[Any]) -> list[Cell]:
    return [None if cell is None else float(cell) for cell in cells]


def _cells(column: pa.Array, field: pa.Field) -> list[Cell]:
    if is_untyped(field):
        return _untyped_cells(column, field)
    if is_nested(field) and is_number(field.type):
        return [Kind.NESTED if cell.is_valid else None for cell in column]
    return typed_cells(column)


def _untyped_cells(column: pa.Array, field: pa.Field) -> list[Cell]:
    number_B, no_number_B = table_cells.numbers(column, field)
    cells = finite_cells(number_B)
    words = table_cells.texts(column).to_pylist()
    for row in np.flatnonzero(no_number_B).tolist():
        cells[row] = words[row]
    return cells
