"""Rows that were read, and the events that they are: all but those with a fault.

Faults are collected per row: the first one that is found for a row is its reason.
B = rows, C = numbers of an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamssl.codecs.dead_letters import Fault
from streamssl.config.sections import InputConfig
from streamssl.data.events import (
    BoolArray,
    EventBatch,
    FloatArray,
    IntArray,
    Message,
    Schema,
)

Faults = dict[int, Fault]


class Rows(NamedTuple):
    """Columns that were read; what stands in a row with a fault does not matter.

    Attributes:
        keys: `[B]` keys, "" for none.
        time_B: Seconds since 1970.
        values_BC: The numbers, NaN = missing.
        texts: `[B]` rows of string columns, null = missing; None where there are none.
    """

    keys: pa.StringArray
    time_B: FloatArray
    values_BC: FloatArray
    texts: pa.RecordBatch | None


def events_of(
    rows: Rows,
    fields: tuple[str, ...],
    *,
    topic: str,
    partition: int,
    offset: IntArray | int,
    index: IntArray | int,
    faults: Faults,
) -> EventBatch:
    """The rows without a fault as events.

    Args:
        rows: What was read.
        fields: Names of the numbers.
        topic: What the event ids begin with.
        partition: Where the rows came from.
        offset: Of the message of every row.
        index: Place of every row in its message.
        faults: Of the rows that are no events.
    """
    num_rows = len(rows.keys)
    batch = EventBatch(
        topic,
        np.full(num_rows, partition, np.int64),
        np.full(num_rows, offset, np.int64),
        np.full(num_rows, index, np.int64),
        rows.keys,
        rows.time_B,
        fields,
        rows.values_BC,
        rows.texts,
    )
    return batch.take(np.flatnonzero(is_good(faults, num_rows))) if faults else batch


def text_batch(names: Sequence[str], columns: Sequence[pa.StringArray]) -> pa.RecordBatch | None:
    """Text columns side by side, as events carry them; None where there are none."""
    return pa.RecordBatch.from_arrays(list(columns), names=list(names)) if names else None


def empty_batch(topic: str, schema: Schema) -> EventBatch:
    """A batch of no events."""
    nothing = pa.array([], pa.utf8())
    rows = Rows(
        nothing,
        np.empty(0),
        np.empty((0, len(schema.fields))),
        text_batch(schema.texts, [nothing] * len(schema.texts)),
    )
    return events_of(rows, schema.fields, topic=topic, partition=0, offset=0, index=0, faults={})


def is_good(faults: Faults, num_rows: int) -> BoolArray:
    """`[B]` True where a row has no fault."""
    good_B = np.ones(num_rows, np.bool_)
    good_B[list(faults)] = False
    return good_B


def size_fault(message: Message, config: InputConfig) -> Fault | None:
    """Why a message is not even looked into: it is empty or too large."""
    if not message.value:
        return Fault("empty", "the message has no value")
    if len(message.value) > config.max_message_bytes:
        return Fault(
            "too_large",
            f"{len(message.value)} bytes, at most {config.max_message_bytes} are read "
            "(input.max_message_bytes)",
        )
    return None


def size_faults(messages: Sequence[Message], config: InputConfig) -> Faults:
    """The same for many messages."""
    length_B = np.array([len(message.value or b"") for message in messages], np.int64)
    rows = np.flatnonzero((length_B == 0) | (length_B > config.max_message_bytes)).tolist()
    return {row: fault for row in rows if (fault := size_fault(messages[row], config))}
