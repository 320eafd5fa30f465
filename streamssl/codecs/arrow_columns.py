"""Arrow columns of any sensible type to what events are made of.

B = rows, C = numbers of an event. A row's fault is found once: the first one stays.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from streamssl.codecs.cells import parse_numbers
from streamssl.codecs.dead_letters import Fault, UnreadableError, bad_time_fault
from streamssl.codecs.keys import key_length_fault
from streamssl.codecs.remedies import NUMBER_AS_TEXT, ROLES
from streamssl.codecs.rows import Faults
from streamssl.codecs.texts import MAX_TEXT_BYTES, byte_lengths
from streamssl.config.sections import InputConfig
from streamssl.data.arrow_types import (
    float64,
    is_list,
    is_moment,
    is_number,
    is_text,
    is_textual,
    moment_seconds,
    number_texts,
)
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.times import bad_times, epoch_seconds, parse_times

_MAX_TIME_BYTES = 64
_MAX_VIEWED_BYTES = 64 * 2**20


def numbers(
    name: str, column: pa.Array, config: InputConfig, *, keeps: bool
) -> tuple[FloatArray, BoolArray]:
    """A column's numbers, NaN where null, and where there is something that is no number.

    Args:
        name: Of the column.
        column: The cells.
        config: Whether texts are looked into.
        keeps: Whether a column of another type is one that holds no number.

    Raises:
        UnreadableError: It is not a column of numbers.
    """
    if is_number(column.type) or types.is_null(column.type):
        return float64(column), np.zeros(len(column), np.bool_)
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if config.numbers_as_text and is_text(kind):
        return parse_numbers(_short_texts(column, MAX_TEXT_BYTES)[0])
    if not keeps:
        raise _wrong_type(name, column.type, "numbers", NUMBER_AS_TEXT if is_text(kind) else "")
    is_there = column.is_valid().to_numpy(zero_copy_only=False)
    return np.full(len(column), np.nan), is_there


def times(name: str, column: pa.Array) -> tuple[FloatArray, Faults]:
    """Event times in seconds since 1970, and the rows without one.

    Raises:
        UnreadableError: It is not a column of times.
    """
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_temporal(kind) and not is_moment(kind):
        raise _wrong_type(name, kind, "times", ROLES["time_field"])
    if is_moment(kind):
        time_B = moment_seconds(column)
    elif is_number(kind) and not types.is_boolean(kind):
        time_B = epoch_seconds(float64(column))
    elif is_text(kind):
        texts, _ = _short_texts(column, _MAX_TIME_BYTES)
        time_B = parse_times(texts.fill_null("").to_pylist())
    else:
        raise _wrong_type(name, kind, "times", ROLES["time_field"])
    bad = _rows(bad_times(time_B))
    faults = {row: bad_time_fault(name, column[row].as_py()) for row in bad}
    return time_B, faults | _null_faults(name, column, ROLES["time_field"])


def keys(name: str, column: pa.Array, config: InputConfig) -> tuple[pa.StringArray, Faults]:
    """Keys as text, and the rows whose key is null or too long.

    Raises:
        UnreadableError: It is neither a column of texts nor of whole numbers.
    """
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if types.is_integer(kind):
        texts, length_B = column.cast(kind).cast(pa.utf8()), np.zeros(len(column), np.int64)
    elif is_text(kind):
        texts, length_B = _short_texts(column, config.max_key_bytes)
    else:
        raise _wrong_type(name, kind, "texts or whole numbers", ROLES["key_field"])
    long = _rows(length_B > config.max_key_bytes)
    faults = {row: key_length_fault(int(length_B[row]), config) for row in long}
    return texts.fill_null(""), faults | _null_faults(name, column, ROLES["key_field"])


def texts(name: str, column: pa.Array) -> tuple[pa.StringArray, IntArray]:
    """A text column: null where missing or too long, and the length of each text in bytes.

    Numbers and booleans are what they are in JSON.

    Raises:
        UnreadableError: It is neither a column of texts nor of numbers.
    """
    if not is_textual(column.type):
        raise _wrong_type(name, column.type, "texts")
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    return _short_texts(column if is_text(kind) else number_texts(column), MAX_TEXT_BYTES)


def list_values(name: str, column: pa.Array, num_values: int) -> tuple[FloatArray, Faults]:
    """`[B, C]` values of a list column, and the rows that are null or of another length.

    Raises:
        UnreadableError: It is not a column of lists of numbers.
    """
    if not is_list(column.type):
        raise _wrong_type(name, column.type, "lists of numbers", ROLES["values_field"])
    count_B = list_lengths(column)
    good = np.flatnonzero(count_B == num_values)
    values_BC = np.full((len(column), num_values), np.nan)
    flat = pc.list_flatten(column.take(pa.array(good)))
    values_BC[good] = float64(flat).reshape(len(good), num_values)
    faults = {
        row: Fault("wrong_count", f"expected {num_values} values, got {count_B[row]}")
        for row in _rows(count_B != num_values)
    }
    return values_BC, faults | _null_faults(name, column, ROLES["values_field"])


def list_lengths(column: pa.Array) -> IntArray:
    """`[B]` number of values of each row of a list column, -1 where null."""
    lengths = pc.fill_null(pc.list_value_length(column), -1)
    return np.asarray(lengths.to_numpy(zero_copy_only=False), np.int64)


def _short_texts(column: pa.Array, max_bytes: int) -> tuple[pa.StringArray, IntArray]:
    """Texts with null where longer than `max_bytes`, and the length of each in bytes."""
    if types.is_dictionary(column.type):
        # By the dictionary: decoding it first would copy one long text into every row.
        texts, length_D = _short_texts(column.dictionary, max_bytes)
        index = column.indices
        code_B = pc.fill_null(index, 0).to_numpy(zero_copy_only=False)
        known = length_D if len(length_D) else np.zeros(1, np.int64)
        return texts.take(index), known[code_B]
    if types.is_string_view(column.type):
        column = _without_views(column)
    length_B = byte_lengths(column)
    if (length_B > max_bytes).any():
        column = pc.if_else(pa.array(length_B <= max_bytes), column, None)
    return column.cast(pa.utf8()), length_B


def _without_views(column: pa.Array) -> pa.Array:
    """Text views as plain text; many views of one long text would not fit the memory."""
    views = np.frombuffer(column.buffers()[1], np.int32).reshape(-1, 4)
    length_B = views[column.offset : column.offset + len(column), 0].astype(np.int64)
    if int(length_B.sum()) > _MAX_VIEWED_BYTES:
        raise UnreadableError("too_large", "the texts of a column repeat one another too often")
    return column.cast(pa.utf8())


def _null_faults(name: str, column: pa.Array, remedy: str) -> Faults:
    if column.null_count == 0 and not types.is_dictionary(column.type):
        return {}  # a dictionary itself may hold null, which is not counted
    null_B = pc.is_null(column).to_numpy(zero_copy_only=False)
    return dict.fromkeys(_rows(null_B), Fault("missing_field", f"field {name!r} is null", remedy))


def _rows(mask_B: BoolArray) -> list[int]:
    return [int(row) for row in np.flatnonzero(mask_B)]


def _wrong_type(name: str, kind: pa.DataType, wanted: str, remedy: str = "") -> UnreadableError:
    return UnreadableError("wrong_type", f"field {name!r} holds {kind}, not {wanted}", remedy)
