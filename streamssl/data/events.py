"""The words that every room shares: messages, columnar batches, ranges.

Shape suffixes: B = events, C = numbers of an event, H W = pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.data.constructors import FromColumns, hint
from streamssl.data.ranges import check_range, warn_of_rounding
from streamssl.data.schema import FloatArray as FloatArray
from streamssl.data.schema import IntArray as IntArray
from streamssl.data.schema import Schema as Schema

Float32Array = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
Headers = tuple[tuple[str, bytes], ...]

UNREADABLE = "streamssl:unreadable"
ORIGINAL = "streamssl:original"
MARKS = (UNREADABLE, ORIGINAL)
UNTYPED = "streamssl:untyped"


class StreamsslError(Exception):
    """Base of every error that is the user's to mend; its text names the remedy.

    Attributes:
        exit_code: What a command ends with (1 runtime, 2 usage or configuration, 3 broker,
            4 checkpoint, 5 device).
    """

    exit_code = 1


class Message(msgspec.Struct, frozen=True, gc=False):
    """One record as the transport gives it: bytes and where they came from.

    A struct, made once an event: a frozen dataclass takes nine times as long.
    """

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int = 0
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive messages of one partition, as one poll gave them.

    Attributes:
        incarnation: Counter of the partition's assignments to this instance (>= 1); a higher
            one than before means that the partition left and came back.
        start: Position before the first message; slices of one incarnation join without gap.
        stop: Position after the last message.
        payload: Messages (Kafka, memory, JSON Lines), or rows of a table as an Arrow batch whose
            first row has offset `start`; its columns `UNREADABLE` and `ORIGINAL`, where present,
            say of each row that is no row why (`reason: detail`, else null) and give its bytes.
            Text columns whose field metadata has `UNTYPED` hold cells as written.
        missed: `[a, b)` where input expired before it could be read, else None.
    """

    partition: int
    incarnation: int
    start: int
    stop: int
    payload: list[Message] | pa.RecordBatch
    missed: tuple[int, int] | None = None


class OutputRecord(msgspec.Struct, frozen=True, gc=False):
    """One record to be written, encoded.

    Attributes:
        topic: Which output: `scores`, `embeddings`, `incidents`, `dlq` or `spaces`.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class EventBatch(FromColumns):
    """Events as columns, in (partition, offset, index) order within each partition.

    `from_pandas`, `from_arrow`, `from_records` and `from_numpy` make one of what is at hand.

    Attributes:
        topic: Input topic (or file name) that the event ids begin with.
        partition: `[B]` partition of each event.
        offset: `[B]` offset of the message that carried it.
        index: `[B]` place within that message (0 where a message carries one event).
        keys: `[B]` Arrow strings; the empty string where the stream has no keys.
        event_time: `[B]` seconds since 1970 UTC (a file without a time column: the row number).
        fields: Names of the C numbers.
        values_BC: `[B, C]` float64 as they came, NaN = missing, within +-`LARGEST`; C may be 0.
            What is given to the learner may be float32.
        texts: `[B]` rows of string columns, null = missing; None where the stream has none.
        images_BHWC: `[B, H, W, C]` uint8 pixels; None where the stream has none.
    """

    topic: str
    partition: IntArray
    offset: IntArray
    index: IntArray
    keys: pa.StringArray
    event_time: FloatArray
    fields: tuple[str, ...]
    values_BC: FloatArray
    texts: pa.RecordBatch | None = None
    images_BHWC: UInt8Array | None = None

    @property
    def schema(self) -> Schema:
        """Which columns the events have."""
        return Schema(self.fields, () if self.texts is None else tuple(self.texts.schema.names))

    def __len__(self) -> int:
        """Number of events."""
        return len(self.offset)

    def ids(self) -> list[str]:
        """Ids of the events, `topic/partition/offset/index`, unique in the stream."""
        columns = zip(
            self.partition.tolist(), self.offset.tolist(), self.index.tolist(), strict=True
        )
        return [f"{self.topic}/{p}/{o}/{i}" for p, o, i in columns]


def check_batch(batch: EventBatch) -> EventBatch:
    """The batch with its numbers as float64; refuse one whose columns do not fit together.

    Raises:
        TypeError: It is no batch; the text says what makes one of it.
        ValueError: A column has another length or kind than the batch's, or a number is infinite
            or beyond `LARGEST`; the text says which.
    """
    if not isinstance(batch, EventBatch):
        raise TypeError(f"an EventBatch is needed; {hint(batch)}")
    size = (len(batch.offset), len(batch.fields))
    if not isinstance(batch.keys, pa.StringArray) or batch.keys.null_count:
        raise ValueError("keys must be a pyarrow StringArray without nulls; use '' for no key")
    if batch.values_BC.shape != size:
        raise ValueError(f"values_BC is {batch.values_BC.shape}; {size} events and fields needed")
    if not any(batch.schema) and batch.images_BHWC is None:
        raise ValueError("a batch needs at least one column of numbers, texts or images")
    columns = ("partition", "index", "keys", "event_time", "texts", "images_BHWC")
    wrong = [name for name in columns if _has_other_length(getattr(batch, name), size[0])]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} must have {size[0]} rows, like offset")
    if batch.values_BC.dtype not in (np.float64, np.float32):
        raise ValueError(f"values_BC is {batch.values_BC.dtype}; float64 or float32 is needed")
    check_range(batch.fields, batch.values_BC)
    if batch.values_BC.dtype == np.float64:
        return batch
    warn_of_rounding(batch.fields, batch.values_BC)
    return replace(batch, values_BC=batch.values_BC.astype(np.float64))


def _has_other_length(column: Any, num_rows: int) -> bool:
    return column is not None and len(column) != num_rows


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input that could not be read: the original bytes, why, and where it came from.

    Attributes:
        message: The original message (for a bad row of a batch message: that row re-encoded
            as a message of one row).
        index: The row within the message, or None where the whole message is unreadable.
        reason: One of a few fixed words (a metric label), such as `bad_json`.
        detail: What exactly was wrong, for a person; bounded length.
        remedy: What mends this very input, where more is known than of its reason.
    """

    message: Message
    index: int | None
    reason: str
    detail: str
    remedy: str = ""


class BadFields(NamedTuple):
    """Fields of an event that could not be read and count as missing (`input.on_bad_field`).

    Attributes:
        offset: Of the message that carried it.
        place: Index of the event within that message.
        reason: As of a dead letter.
        detail: What exactly was wrong with the first of them.
        num_fields: How many they are.
    """

    offset: int
    place: int
    reason: str
    detail: str
    num_fields: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder made of some messages: the readable events and the dead letters.

    Attributes:
        schema: The stream's columns as far as these messages; None while nothing decided them.
        bad_fields: What of the events could not be read and counts as missing.
    """

    batch: EventBatch
    dead_letters: tuple[DeadLetter, ...] = ()
    schema: Schema | None = None
    bad_fields: tuple[BadFields, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """Messages `[start, stop)` of one partition, as taken in one transaction.

    Attributes:
        num_messages: Records really in the range (control records and compaction leave holes).
        crc32c: CRC-32C chained over the messages' value bytes, in offset order.
    """

    partition: int
    start: int
    stop: int
    num_messages: int
    crc32c: int
