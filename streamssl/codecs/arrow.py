"""Arrow IPC events: many a message, as rows of record batches.

B = events, C = channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from pyarrow import types

from streamssl.codecs import arrow_columns
from streamssl.codecs.arrow_reader import read_batch, write_batch
from streamssl.codecs.arrow_types import is_number
from streamssl.codecs.columns import (
    MAX_AUTO_FIELDS,
    Faults,
    array_names,
    bad_time_fault,
    bad_times,
    channel_names,
    check_names,
    empty_batch,
    record_keys,
    rows_without,
    size_fault,
)
from streamssl.codecs.dead_letters import Fault, UnreadableError
from streamssl.config.sections import InputConfig
from streamssl.data.events import (
    DeadLetter,
    Decoded,
    EventBatch,
    Float32Array,
    FloatArray,
    Message,
    Slice,
)

MAX_EXPANSION = 64


class ArrowDecoder:
    """Arrow IPC streams or files to columns; the index of an event is its row in the message.

    The channels are columns of numbers, or one column of lists (`input.values_field`). Null and
    NaN are missing. A bad row becomes a dead letter of one row, the rows around it are events;
    a message that is no Arrow, has columns of other types, or would need more than
    `MAX_EXPANSION` times `max_message_bytes` of memory is one dead letter.

    Args:
        topic: What the event ids begin with.
        fields: Names of the channels; `auto` has the first readable event decide them.
        input: Time, key, list of values, and limits.
        required: Whether an event that lacks a channel is a dead letter.
    """

    def __init__(
        self,
        *,
        topic: str,
        fields: Literal["auto"] | Sequence[str] = "auto",
        input: InputConfig,  # noqa: A002 (the YAML section's name)
        required: bool = False,
    ) -> None:
        self._topic = topic
        self._config = input
        self._required = required
        self._max_bytes = MAX_EXPANSION * input.max_message_bytes
        self.fields = None if fields == "auto" else check_names(fields, input)

    def decode(self, piece: Slice) -> Decoded:
        """The readable events of a slice, and a dead letter for everything else."""
        messages = piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        parts = [self._decode(message) for message in messages]
        batches = [part.batch for part in parts if len(part.batch)]
        letters = tuple(letter for part in parts for letter in part.dead_letters)
        nothing = empty_batch(self._topic, self.fields or ())
        return Decoded(EventBatch.concat(batches or [nothing]), letters)

    def _decode(self, message: Message) -> Decoded:
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found below
                return self._decode_rows(message)
        except UnreadableError as error:
            fault = error.fault
        except pa.ArrowException as error:  # a rare type that Arrow itself cannot convert
            fault = Fault("wrong_type", str(error))
        nothing = empty_batch(self._topic, self.fields or ())
        return Decoded(nothing, (DeadLetter(message, None, *fault),))

    def _decode_rows(self, message: Message) -> Decoded:
        # 1. The message as one batch of rows.
        rows = self._read(message)
        if rows.num_rows == 0:
            return Decoded(empty_batch(self._topic, self.fields or ()))
        # 2. Columns, and the faults of rows.
        keys, key_faults = self._keys(message, rows)
        time_B, faults = self._times(message, rows)
        faults = key_faults | faults
        fields = self.fields if self.fields is not None else self._proposed_fields(rows, faults)
        values_BC, value_faults = self._values(rows, fields)
        faults = value_faults | faults
        # 3. Events of the rows without fault, dead letters of the others.
        good = rows_without(faults, rows.num_rows)
        letters = tuple(self._letters(message, rows, faults))
        if len(good):
            self.fields = fields
        batch = EventBatch(
            self._topic,
            np.full(rows.num_rows, message.partition, np.int64),
            np.full(rows.num_rows, message.offset, np.int64),
            np.arange(rows.num_rows),
            keys,
            time_B,
            fields,
            values_BC,
        )
        return Decoded(batch if len(good) == len(batch) else batch.take(good), letters)

    def _read(self, message: Message) -> pa.RecordBatch:
        fault = size_fault(message, self._config)
        if fault or message.value is None:
            raise UnreadableError(*(fault or Fault("empty", "")))
        rows = read_batch(
            message.value,
            max_rows=self._config.max_events_per_message,
            max_bytes=self._max_bytes,
        )
        names = rows.schema.names
        if len(set(names)) < len(names):
            raise UnreadableError("wrong_type", "two columns have the same name")
        return rows

    def _keys(self, message: Message, rows: pa.RecordBatch) -> tuple[pa.StringArray, Faults]:
        if self._config.key_field is not None:
            column = _column(rows, self._config.key_field)
            return arrow_columns.keys(self._config.key_field, column, self._config)
        keys, faults = record_keys([message], self._config)
        if faults:
            raise UnreadableError(*faults[0])
        return pa.repeat(keys[0], rows.num_rows), {}

    def _times(self, message: Message, rows: pa.RecordBatch) -> tuple[FloatArray, Faults]:
        if self._config.time_field is not None:
            column = _column(rows, self._config.time_field)
            return arrow_columns.times(self._config.time_field, column)
        time_B = np.full(rows.num_rows, message.timestamp_ms / 1e3)
        return time_B, dict.fromkeys(np.flatnonzero(bad_times(time_B)).tolist(), bad_time_fault())

    def _values(self, rows: pa.RecordBatch, fields: tuple[str, ...]) -> tuple[Float32Array, Faults]:
        if not fields:
            raise UnreadableError("missing_field", "no channel: no row has a number to read")
        if rows.num_rows * len(fields) * 4 > self._max_bytes:
            raise UnreadableError("too_large", f"{rows.num_rows} rows of {len(fields)} channels")
        if self._config.values_field is not None:
            column = _column(rows, self._config.values_field)
            values_BC, faults = arrow_columns.list_values(
                self._config.values_field, column, len(fields)
            )
        else:
            values_BC, faults = self._named_values(rows, fields), {}
        infinite, missing = np.isinf(values_BC).any(axis=1), np.isnan(values_BC).any(axis=1)
        found = dict.fromkeys(
            np.flatnonzero(infinite).tolist(),
            Fault("not_finite", "a channel is infinite or beyond the range of float32"),
        )
        if self._required:
            fault = Fault("missing_field", "a channel is null or NaN (modality.required)")
            found = dict.fromkeys(np.flatnonzero(missing).tolist(), fault) | found
        return values_BC, found | faults

    def _named_values(self, rows: pa.RecordBatch, fields: tuple[str, ...]) -> Float32Array:
        absent = set(fields).difference(rows.schema.names)
        if len(absent) == len(fields) or (absent and self._required):
            raise UnreadableError("missing_field", f"no column {min(absent)!r}")
        values_BC = np.full((rows.num_rows, len(fields)), np.nan, np.float32)
        for channel, name in enumerate(fields):
            if name not in absent:
                values_BC[:, channel] = arrow_columns.numbers(name, rows.column(name))
        return values_BC

    def _proposed_fields(self, rows: pa.RecordBatch, faults: Faults) -> tuple[str, ...]:
        """The channels that the first readable row has."""
        if self._config.values_field is not None:
            column = _column(rows, self._config.values_field)
            names = array_names(self._config.values_field, self._first_length(column, faults))
        else:
            numeric = (c.name for c in rows.schema if is_number(c.type))
            names = channel_names(numeric, self._config)
        return names if len(names) <= MAX_AUTO_FIELDS else ()

    def _first_length(self, column: pa.Array, faults: Faults) -> int:
        if not arrow_columns.is_list(column.type):
            return 0
        length_B = arrow_columns.list_lengths(column)
        for row in np.flatnonzero(length_B > 0).tolist():
            values, _ = arrow_columns.list_values("", column.slice(row, 1), int(length_B[row]))
            bad = np.isinf(values) | (np.isnan(values) if self._required else False)
            if row not in faults and not bad.any():
                return int(length_B[row])
        return 0

    def _letters(self, message: Message, rows: pa.RecordBatch, faults: Faults) -> list[DeadLetter]:
        letters, num_bytes = [], 0
        for row in sorted(faults):
            value = _one_row(rows, row)
            num_bytes += len(value)
            if num_bytes > self._max_bytes:
                raise UnreadableError("too_large", f"{len(faults)} bad rows: {faults[row].detail}")
            letter = Message(
                message.partition,
                message.offset,
                message.key,
                value,
                message.timestamp_ms,
                message.headers,
            )
            letters.append(DeadLetter(letter, row, *faults[row]))
        return letters


def _column(rows: pa.RecordBatch, name: str) -> pa.Array:
    if name not in rows.schema.names:
        raise UnreadableError("missing_field", f"no column {name!r}")
    return rows.column(name)


def _one_row(rows: pa.RecordBatch, row: int) -> bytes:
    # Without dictionaries, which would be written whole for each row.
    columns = [
        column.dictionary_decode() if types.is_dictionary(column.type) else column
        for column in rows.slice(row, 1).columns
    ]
    return write_batch(pa.RecordBatch.from_arrays(columns, names=rows.schema.names))
