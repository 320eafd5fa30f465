"""Output records to whole record batches.

kafka-python appends records one by one, a varint's byte at a time, with a future and two locks
for each: two thirds of what a record cost the daemon
(docs/research-log.md, "Kafka to Kafka"). Here the records of a partition are put
together at once and handed over as the batches that its sender would have found.

The format is Kafka's record batch, version 2: a record is its length, attributes (0), the
deltas of timestamp (0: all are of one moment) and offset, key, value and headers, every number
and length a zigzag varint.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from kafka import TopicPartition, errors
from kafka.producer.future import FutureProduceResult, FutureRecordMetadata
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from streamssl.data.events import Headers, OutputRecord
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.producer_record import SendOutcome

ATTRIBUTES_AND_TIMESTAMP = b"\0\0"
ABSENT = b"\1"  # the length -1
MAGIC = 2


@lru_cache(maxsize=1 << 16)
def varint(value: int) -> bytes:
    """A number of 64 bits, zigzag, seven bits a byte, the lowest first."""
    rest = (value << 1) ^ (value >> 63)
    digits = bytearray()
    while rest > 0x7F:
        digits.append(0x80 | (rest & 0x7F))
        rest >>= 7
    digits.append(rest)
    return bytes(digits)


def encode_record(record: OutputRecord, place: int) -> bytes:
    """One record of a batch.

    Args:
        record: Its key, value and headers.
        place: How many records of the batch come before it.
    """
    key, value, headers = record.key, record.value, record.headers
    body = b"".join(
        (
            ATTRIBUTES_AND_TIMESTAMP,
            varint(place),
            *(_sized(key) if key is not None else (ABSENT,)),
            *(_sized(value) if value is not None else (ABSENT,)),
            varint(len(headers)),
            *(_header(*headers[0]) if headers else ()),
            _same_headers(headers[1:]),
        )
    )
    return varint(len(body)) + body


def _sized(value: bytes) -> tuple[bytes, bytes]:
    return varint(len(value)), value


def _header(name: str, value: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    return *_sized(name.encode()), *_sized(value)


@lru_cache(maxsize=64)
def _same_headers(headers: Headers) -> bytes:
    """All headers but the first, which names the record: the others seldom differ."""
    return b"".join(part for header in headers for part in _header(*header))


def encode_batches(records: Sequence[OutputRecord], max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """The records of one partition, cut into batches.

    Args:
        records: In the order of their offsets.
        max_bytes: Largest batch; a single larger record still makes one.

    Yields:
        How many records a batch has, and their bytes.
    """
    encoded: list[bytes] = []
    size = 0
    for record in records:
        one = encode_record(record, len(encoded))
        if encoded and size + len(one) > max_bytes:
            yield len(encoded), b"".join(encoded)
            encoded, size = [], 0
            one = encode_record(record, 0)
        encoded.append(one)
        size += len(one)
    if encoded:
        yield len(encoded), b"".join(encoded)


class RecordFutures:
    """What the library keeps for each record of a batch, made only where it asks for it.

    It asks when the broker refuses a batch for its size and the library cuts it in two: from
    then on every record has a future of its own.

    Args:
        of_batch: What becomes of the batch (the batch itself would hold its bytes in a circle).
        num_records: Its size.
    """

    def __init__(self, of_batch: FutureProduceResult, num_records: int) -> None:
        self._of_batch, self._num_records = of_batch, num_records
        self.made: dict[int, FutureRecordMetadata] = {}

    def __len__(self) -> int:
        return self._num_records

    def __getitem__(self, place: int) -> FutureRecordMetadata:
        future = FutureRecordMetadata(self._of_batch, place, None, None, -1, -1, -1)
        # Asked for by the library's thread and by ours: whoever is first made it.
        return self.made.setdefault(place, future)


def new_batch(tp: TopicPartition, num_records: int, body: bytes) -> ProducerBatch:
    """A full batch, as the library's sender takes it.

    Args:
        tp: Where it goes.
        num_records: How many records it has.
        body: Their bytes.
    """
    records = MemoryRecordsBuilder(MAGIC, 0, len(body))
    builder = records._builder
    builder._buffer += body
    builder._first_timestamp = builder._max_timestamp = int(time.time() * 1_000)
    builder._num_records, builder._last_offset = num_records, num_records - 1
    records._next_offset = num_records
    batch = ProducerBatch(tp, records)
    batch._record_futures = RecordFutures(batch.produce_future, num_records)
    return batch


def append(accumulator: Any, batch: ProducerBatch) -> None:
    """Put a batch where the sender finds it, as the accumulator itself does."""
    tp = batch.topic_partition
    accumulator._appends_in_progress.increment()
    try:
        with accumulator._tp_lock(tp):
            if accumulator._closed:
                raise errors.IllegalStateError("the producer was closed")
            accumulator._batches[tp].append(batch)
            accumulator._incomplete.add(batch)
    finally:
        accumulator._appends_in_progress.decrement()


def outcomes_of(batch: ProducerBatch, give_up: float) -> list[SendOutcome]:
    """What became of each record of a batch.

    Args:
        batch: One that was appended, and flushed.
        give_up: Monotonic time until which its parts are waited for, if it was split.
    """
    futures: RecordFutures = batch._record_futures
    batch.produce_future.wait(max(0.0, give_up - time.monotonic()))
    if futures.made:  # It was split: each record has its own fate.
        return [_outcome(futures[place], give_up) for place in range(len(futures))]
    if not batch.is_done:
        return [errors.KafkaTimeoutError("not acknowledged in time")] * len(futures)
    first, _, failures = batch.produce_future.value
    places = range(len(futures))
    return [failures(place) for place in places] if failures else [first + n for n in places]


def _outcome(future: Any, give_up: float) -> SendOutcome:
    try:
        return int(future.get(timeout=max(0.0, give_up - time.monotonic())).offset)
    except CLIENT_ERRORS as error:
        return error
