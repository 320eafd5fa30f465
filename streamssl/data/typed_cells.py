"""Cells of typed columns, as those look at them who decide which columns are channels.

B = rows.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from pyarrow import types

from streamssl.data.arrow_types import float64, is_list, is_moment, is_number, is_text
from streamssl.data.channels import Cell, Kind
from streamssl.data.schema import FloatArray

# What pandas calls an index without a name where it writes Arrow.
INDEX_PREFIX = "__index_level_"

_KINDS: dict[Callable[[pa.DataType], bool], Kind] = {
    is_list: Kind.LIST,
    types.is_map: Kind.OTHER,
    types.is_nested: Kind.RECORDS,
    types.is_duration: Kind.DURATION,
    types.is_time: Kind.TIME_OF_DAY,
    types.is_binary: Kind.BYTES,
    types.is_large_binary: Kind.BYTES,
    types.is_fixed_size_binary: Kind.BYTES,
}


def typed_cells(column: pa.Array) -> list[Cell]:
    """`[B]` numbers, texts and marks of what is neither; None where there is none."""
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if is_number(kind):
        return finite_cells(float64(column))
    if is_text(kind):
        return list(column.to_pylist())
    other = _kind(kind)
    return [other if cell.is_valid else None for cell in column]


def finite_cells(number_B: FloatArray) -> list[Cell]:
    """`[B]` numbers as cells, None where one is NaN or infinite."""
    return [number if np.isfinite(number) else None for number in number_B.tolist()]


def _kind(kind: pa.DataType) -> Kind:
    """What the cells of a column are that are neither numbers nor texts."""
    if is_moment(kind):
        return Kind.MOMENT
    return next((found for is_one, found in _KINDS.items() if is_one(kind)), Kind.OTHER)
