"""Generated events: a level for every key, noise, and now and then a value far off.

N = events, C = channels.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa

from streamssl.codecs.arrow_reader import write_batch
from streamssl.data.events import EventBatch, IntArray

TOPIC = "speed"
KEY_FIELD = "key"
ROWS_PER_MESSAGE = 500
_FAR_SHARE = 0.0005
_FAR = 8.0
_DIGITS = 2


def generate(
    num_events: int,
    *,
    num_channels: int,
    num_keys: int,
    num_partitions: int = 4,
    seed: int = 0,
    part: int = 0,
    every_key_first: bool = False,
) -> EventBatch:
    """Events of random keys; a key's events are all in one partition.

    Args:
        num_events: N.
        num_channels: C.
        num_keys: Keys, equally frequent.
        num_partitions: Partitions, filled with consecutive offsets.
        seed: Of everything.
        part: Which part of the stream: others have other events of keys at the same levels.
        every_key_first: Whether the first events go through all keys once.

    Example:
        >>> batch = generate(8, num_channels=2, num_keys=3)
        >>> len(batch), batch.fields, sorted(set(batch.partition.tolist())) <= [0, 1, 2]
        (8, ('c0', 'c1'), True)
    """
    levels = np.random.default_rng((seed, num_channels, num_keys))
    level_KC = levels.normal(size=(num_keys, num_channels)).astype(np.float32)
    rng = np.random.default_rng((seed, num_channels, num_keys, part))
    key_N = rng.integers(num_keys, size=num_events)
    if every_key_first:
        first = rng.permutation(num_keys)[:num_events]
        key_N[: len(first)] = first
    values_NC = 0.5 * level_KC[key_N]
    values_NC += rng.standard_normal((num_events, num_channels), dtype=np.float32)
    values_NC[rng.random(num_events) < _FAR_SHARE, 0] += _FAR
    partition_N = key_N % num_partitions
    return EventBatch(
        topic=TOPIC,
        partition=partition_N,
        offset=_ranks(partition_N),
        index=np.zeros(num_events, np.int64),
        keys=pa.array([f"m{key}" for key in key_N.tolist()], pa.string()),
        event_time=np.linspace(1.7e9, 1.7e9 + 0.01 * num_events, num_events),
        fields=tuple(f"c{channel}" for channel in range(num_channels)),
        values_BC=np.round(values_NC, _DIGITS).astype(np.float32),
    )


def json_messages(batch: EventBatch) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, key and value of each event as one JSON object."""
    encode = msgspec.json.Encoder().encode
    partitions, keys = batch.partition.tolist(), batch.keys.to_pylist()
    for row, partition, key in zip(_rows(batch), partitions, keys, strict=True):
        yield partition, key.encode(), encode(dict(zip(batch.fields, row, strict=True)))


def arrow_messages(batch: EventBatch) -> Iterator[tuple[int, bytes, bytes]]:
    """Partition, empty key and Arrow IPC value of at most 500 events of one partition each."""
    for partition in np.unique(batch.partition).tolist():
        rows = np.flatnonzero(batch.partition == partition)
        for begin in range(0, len(rows), ROWS_PER_MESSAGE):
            part = batch.take(rows[begin : begin + ROWS_PER_MESSAGE])
            yield partition, b"", write_batch(as_table(part))


def as_table(batch: EventBatch) -> pa.RecordBatch:
    """The channels as columns, and the key."""
    columns = dict(zip(batch.fields, batch.values_BC.T, strict=True))
    return pa.RecordBatch.from_pydict({KEY_FIELD: batch.keys, **columns})


def chunks(batch: EventBatch, rows: int = 1_024) -> Iterator[EventBatch]:
    """The batch in pieces, in order."""
    for begin in range(0, len(batch), rows):
        yield batch.take(slice(begin, begin + rows))


def _rows(batch: EventBatch) -> list[list[float]]:
    """Values as short decimals, which is what a sensor's gateway sends."""
    rows: list[list[float]] = np.round(batch.values_BC.astype(np.float64), _DIGITS).tolist()
    return rows


def _ranks(group_N: IntArray) -> IntArray:
    """How many rows of the same group came before each."""
    rank_N = np.empty(len(group_N), np.int64)
    for group in np.unique(group_N).tolist():
        rows = np.flatnonzero(group_N == group)
        rank_N[rows] = np.arange(len(rows))
    return rank_N
