"""Arrow IPC events: many a message, as rows of record batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from pyarrow import types

from streamssl.codecs.arrow_layout import ArrowLayout
from streamssl.codecs.arrow_reader import read_batch, write_batch
from streamssl.codecs.bad_fields import bad_fields
from streamssl.codecs.base import Sample
from streamssl.codecs.dead_letters import Fault, UnreadableError
from streamssl.codecs.fields import NO_COLUMNS, choose_columns, named_schema
from streamssl.codecs.rows import Faults, empty_batch, events_of, size_fault
from streamssl.config.sections import InputConfig
from streamssl.data.arrow_types import flattened
from streamssl.data.channels import FIRST_EVENTS, Choice
from streamssl.data.events import DeadLetter, Decoded, EventBatch, Message, Schema, Slice

MAX_EXPANSION = 64


class ArrowDecoder:
    """Arrow IPC streams or files to columns; the index of an event is its row in the message.

    The numbers are columns, or one column of lists (`input.values_field`). Null and
    NaN are missing. Texts are columns of text, or of numbers and booleans. A bad row becomes a
    dead letter of one row, the rows around it are events; a message that is no Arrow, has columns
    of other types, or would need more than `MAX_EXPANSION` times `max_message_bytes` of memory is
    one dead letter.

    Args:
        topic: What the event ids begin with.
        fields: Names of the numbers; `auto` has the first events decide them (`choose`).
        texts: Names of the text columns.
        input: Time, key, list of values, and limits.
        required: Whether an event that lacks a column is a dead letter.
    """

    def __init__(
        self,
        *,
        topic: str,
        fields: Literal["auto"] | Sequence[str] = "auto",
        texts: Sequence[str] = (),
        input: InputConfig,  # noqa: A002 (the YAML section's name)
        required: bool = False,
    ) -> None:
        self._topic = topic
        self._config, self._texts, self._required = input, texts, required
        self._max_bytes = MAX_EXPANSION * input.max_message_bytes
        self.named = named_schema(fields, texts, input)
        self._layout = ArrowLayout(config=input, required=required, max_bytes=self._max_bytes)

    def decode(self, piece: Slice, schema: Schema | None) -> Decoded:
        """The readable events of a slice, and a dead letter for everything else."""
        messages = piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        schema = schema or self.named
        parts = [self._decode(message, schema) for message in messages]
        batches = [part.batch for part in parts if len(part.batch)]
        letters = tuple(letter for part in parts for letter in part.dead_letters)
        noted = tuple(bad for part in parts for bad in part.bad_fields)
        batch = EventBatch.concat(batches or [self._nothing(schema)])
        return Decoded(batch, letters, schema, noted)

    def sample(self, piece: Slice) -> Sample:
        """The first rows of every message that can be read."""
        messages = piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        samples = [self._sampled(message) for message in messages]
        return Sample(
            tuple(event for sample in samples for event in sample.events),
            frozenset(name for sample in samples for name in sample.typed),
            frozenset(name for sample in samples for name in sample.names),
        )

    def choose(self, samples: Sequence[Sample]) -> Choice:
        """The columns of a stream whose first events these are."""
        return choose_columns(
            [event for sample in samples for event in sample.events],
            input=self._config,
            texts=self._texts,
            typed={name for sample in samples for name in sample.typed},
            required=self._required,
        )

    def others(self, piece: Slice, known: Collection[str]) -> Counter[str]:
        """Columns of the slice's last message that are not known."""
        messages = piece.payload
        assert isinstance(messages, list), "rows of a file are for the table decoder"
        if self._config.values_field is not None or not messages:
            return Counter()
        try:
            rows = flattened(self._read(messages[-1]))
        except (UnreadableError, pa.ArrowException):
            return Counter()
        new = (field.name for field in rows.schema if field.name not in known)
        return +Counter({name: len(rows) - rows.column(name).null_count for name in new})

    def _sampled(self, message: Message) -> Sample:
        try:
            rows = self._read(message).slice(0, FIRST_EVENTS)
            names = self._texts if self.named is None else flattened(rows).schema.names
            return self._layout.sample(message, rows, names)
        except (UnreadableError, pa.ArrowException):
            return Sample(())

    def _nothing(self, schema: Schema | None) -> EventBatch:
        return empty_batch(self._topic, schema or NO_COLUMNS)

    def _decode(self, message: Message, schema: Schema | None) -> Decoded:
        try:
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is found below
                return self._decode_rows(message, schema)
        except UnreadableError as error:
            fault = error.fault
        except pa.ArrowException as error:  # a rare type that Arrow itself cannot convert
            fault = Fault("wrong_type", str(error))
        return Decoded(self._nothing(schema), (DeadLetter(message, None, *fault),), schema)

    def _decode_rows(self, message: Message, schema: Schema | None) -> Decoded:
        # 1. The message as one batch of rows.
        rows = self._read(message)
        if rows.num_rows == 0:
            return Decoded(self._nothing(schema), schema=schema)
        # 2. Columns, and the faults of rows.
        known = schema or NO_COLUMNS
        columns, faults, kept = self._layout.columns(message, rows, known)
        # 3. Events of the rows without fault, dead letters of the others.
        batch = events_of(
            columns,
            known.fields,
            topic=self._topic,
            partition=message.partition,
            offset=message.offset,
            index=np.arange(rows.num_rows),
            faults=faults,
        )
        letters = tuple(self._letters(message, rows, faults))
        offset_B = np.full(rows.num_rows, message.offset)
        noted = bad_fields(kept, faults, offset_B, np.arange(rows.num_rows))
        return Decoded(batch, letters, schema, noted)

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


def _one_row(rows: pa.RecordBatch, row: int) -> bytes:
    # Without dictionaries, which would be written whole for each row.
    columns = [
        column.dictionary_decode() if types.is_dictionary(column.type) else column
        for column in rows.slice(row, 1).columns
    ]
    return write_batch(pa.RecordBatch.from_arrays(columns, names=rows.schema.names))
