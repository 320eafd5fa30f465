"""The words that every room shares: messages, columnar batches, ranges, results.

Shape suffixes: B = events, C = channels, D = embedding size, S = scorers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Headers = tuple[tuple[str, bytes], ...]

UNREADABLE = "streamssl:unreadable"
ORIGINAL = "streamssl:original"
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
        payload: Messages (Kafka, memory), or rows of a file as an Arrow batch whose first row
            has offset `start`; its columns `UNREADABLE` and `ORIGINAL`, where present, say of
            each row that is no row why (`reason: detail`, else null) and give its bytes. Text
            columns whose field metadata has `UNTYPED` hold cells as written (`csv` or `json`).
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
        topic: Which output: `scores`, `embeddings`, `dlq` or `spaces`.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events as columns, in (partition, offset, index) order within each partition.

    Attributes:
        topic: Input topic (or file name) that the event ids begin with.
        partition: `[B]` partition of each event.
        offset: `[B]` offset of the message that carried it.
        index: `[B]` place within that message (0 where a message carries one event).
        keys: `[B]` Arrow strings; the empty string where the stream has no keys.
        event_time: `[B]` seconds since 1970 UTC (a file without a time column: the row number).
        fields: Names of the C channels.
        values_BC: `[B, C]` float32, NaN = missing, never infinite.
    """

    topic: str
    partition: IntArray
    offset: IntArray
    index: IntArray
    keys: pa.StringArray
    event_time: FloatArray
    fields: tuple[str, ...]
    values_BC: Float32Array

    def __len__(self) -> int:
        """Number of events."""
        return len(self.offset)

    def take(self, rows: IntArray | slice) -> EventBatch:
        """The events at `rows`, in that order."""
        index = np.arange(len(self))[rows]
        return EventBatch(
            self.topic,
            self.partition[index],
            self.offset[index],
            self.index[index],
            self.keys.take(pa.array(index)),
            self.event_time[index],
            self.fields,
            np.ascontiguousarray(self.values_BC[index]),
        )

    def ids(self) -> list[str]:
        """Event ids, `topic/partition/offset/index`."""
        columns = zip(
            self.partition.tolist(), self.offset.tolist(), self.index.tolist(), strict=True
        )
        return [f"{self.topic}/{p}/{o}/{i}" for p, o, i in columns]


def concat_batches(batches: Sequence[EventBatch]) -> EventBatch:
    """Join at least one batch of the same topic and fields, in the given order."""
    if len(batches) == 1:
        return batches[0]
    return EventBatch(
        batches[0].topic,
        np.concatenate([b.partition for b in batches]),
        np.concatenate([b.offset for b in batches]),
        np.concatenate([b.index for b in batches]),
        pa.concat_arrays([b.keys for b in batches]),
        np.concatenate([b.event_time for b in batches]),
        batches[0].fields,
        np.concatenate([b.values_BC for b in batches]),
    )


def check_batch(batch: EventBatch) -> None:
    """Refuse a batch whose columns do not fit together.

    Raises:
        ValueError: A column has another length or kind than the batch's; the text says which.
    """
    size = (len(batch.offset), len(batch.fields))
    if not isinstance(batch.keys, pa.StringArray) or batch.keys.null_count:
        raise ValueError("keys must be a pyarrow StringArray without nulls; use '' for no key")
    if batch.values_BC.shape != size or not batch.fields:
        raise ValueError(f"values_BC is {batch.values_BC.shape}; {size} events and channels needed")
    columns = ("partition", "index", "keys", "event_time")
    wrong = [name for name in columns if len(getattr(batch, name)) != size[0]]
    if wrong:
        raise ValueError(f"{', '.join(wrong)} must have {size[0]} rows, like offset")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An input that could not be read: the original bytes, why, and where it came from.

    Attributes:
        message: The original message (for a bad row of a batch message: that row re-encoded
            as a message of one row).
        index: The row within the message, or None where the whole message is unreadable.
        reason: One of a few fixed words (a metric label), such as `bad_json`.
        detail: What exactly was wrong, for a person; bounded length.
    """

    message: Message
    index: int | None
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a decoder made of some messages: the readable events and the dead letters."""

    batch: EventBatch
    dead_letters: tuple[DeadLetter, ...] = ()


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


@dataclass(frozen=True, slots=True)
class Results:
    """What is published for a batch: one row an event, in the batch's order.

    Attributes:
        batch: The events themselves.
        epoch: Epoch of the model that scored them.
        score: `[B]` 1 - p_value.
        p_value: `[B]` in (0, 1], strictly decreasing in `raw` for one key.
        raw: `[B]` fused raw score, >= 0.
        threshold: `[B]` score from which an event is an anomaly.
        anomaly: `[B]` True where the score passed the threshold and the key is not warming.
        severity: `[B]` index into `SEVERITIES`.
        incident_id: per event, None outside incidents.
        incident_state: `[B]` index into `INCIDENT_STATES`.
        warming: `[B]` True until the key's scorer is fitted and calibrated.
        top_field: `[B]` index of the channel that contributes most to the score.
        raw_scores: One `[B]` column a scorer.
        explained: `[A]` rows (indices into the batch) that carry an explanation: the anomalies.
        attribution_AC: `[A, C]` share per channel, >= 0, each row sums to 1.
        expected_AC: `[A, C]` value that the model expected, in the input's units.
        neighbours: `[A]` ids of the nearest past events of the same stream, nearest first.
        embedding_BD: `[B, D]` float32 from the teacher.
        space: Name of the embedding space.
    """

    batch: EventBatch
    epoch: int
    score: FloatArray
    p_value: FloatArray
    raw: FloatArray
    threshold: FloatArray
    anomaly: BoolArray
    severity: IntArray
    incident_id: list[str | None]
    incident_state: IntArray
    warming: BoolArray
    top_field: IntArray
    raw_scores: Mapping[str, FloatArray]
    explained: IntArray
    attribution_AC: FloatArray
    expected_AC: FloatArray
    neighbours: list[list[str]]
    embedding_BD: Float32Array
    space: str


SEVERITIES = ("none", "low", "medium", "high", "critical")
INCIDENT_STATES = ("none", "start", "ongoing", "end")
# The embedding space until the first training burst is over, and where there are no networks.
PROVISIONAL, NO_SPACE = "provisional", "none"


class Decisions(NamedTuple):
    """What was decided when an epoch closed; with its rows it determines the next state.

    Attributes:
        reason: `count` (the epoch was full), `clock` (`learn.max_wait_s` passed) or `end` (a
            file ended).
        learn_rate: Share of the epoch's rows offered to the optimiser (1.0 unless lag thins
            learning); which ones follows from a hash of the event id and the epoch.
        hurried: Whether the next epoch's input waited already: a burst is cut into smaller slices.
    """

    reason: str = "count"
    learn_rate: float = 1.0
    hurried: bool = False


@dataclass(frozen=True, slots=True)
class EpochReport:
    """What closing an epoch did; for metrics and logs, never fed back.

    Attributes:
        num_events: Rows of the epoch.
        num_learnt: Rows that the statistics learned (not gated).
        num_trained: Rows (fresh and replayed) that optimiser steps learned from.
        losses: Last loss of each objective.
    """

    epoch: int
    num_events: int
    num_learnt: int = 0
    num_gated: int = 0
    num_thinned: int = 0
    num_trained: int = 0
    num_steps: int = 0
    num_steps_nonfinite: int = 0
    keys_active: int = 0
    keys_evicted: int = 0
    replay_records: int = 0
    replay_bytes: int = 0
    gradient_norm: float = float("nan")
    effective_rank: float = float("nan")
    min_standard_deviation: float = float("nan")
    warmup_progress: float = 0.0
    alert_rate: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
