"""Fetched record batches to messages.

kafka-python's consumer takes 13 us for each record, most of it for what nobody asks for
(docs/research-log.md, "Kafka to Kafka"):
`decode_to_messages` lets a consumer's `poll` give this package's `Message`, read straight from the
record batches. Checksums, aborted transactions and markers are seen to as before; whatever is not
a whole record batch of version 2 is left to the library, and so are its errors. Nobody needs the
headers: a name that is no UTF-8, or none at all, at which the library stops, is read as it may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from kafka import KafkaConsumer, TopicPartition, errors
from kafka.consumer.fetcher import Fetcher, IsolationLevel
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.util import decode_varint

from streamssl.data.events import Headers, Message


def decode_to_messages(consumer: KafkaConsumer) -> KafkaConsumer:
    """The same consumer, whose `poll` gives messages from now on."""
    consumer._fetcher.PartitionRecords = MessagesOfPartition
    return consumer


class MessagesOfPartition(Fetcher.PartitionRecords):  # type: ignore[misc]  # untyped library
    """What one fetch gave of a partition."""

    def _unpack_records(self, tp: TopicPartition, records: Any, *_: Any) -> Iterator[Message]:
        while (batch := records.next_batch()) is not None:
            if self.check_crcs and not batch.validate_crc():
                place = f"partition {tp} at offset {batch.base_offset}"
                raise errors.CorruptRecordError(f"the crc of the batch of {place} is wrong")
            self.bytes_read += batch.size_in_bytes
            if batch.magic != 2:
                yield from self._counted(_by_the_library(batch, tp.partition))
                continue
            self.leader_epoch = batch.leader_epoch
            if not self._is_hidden(batch):
                yield from self._counted(messages_of(batch, tp.partition))
            self.next_fetch_offset = batch.next_offset
        self.drain()

    def _counted(self, messages: Iterable[Message]) -> Iterator[Message]:
        for message in messages:
            self.records_read += 1
            self.next_fetch_offset = message.offset + 1
            yield message

    def _is_hidden(self, batch: DefaultRecordBatch) -> bool:
        """Whether it is a marker, or belongs to a transaction that was aborted."""
        committed = self.isolation_level == IsolationLevel.READ_COMMITTED
        if committed and batch.has_producer_id():
            self._consume_aborted_transactions_up_to(batch.last_offset)
            if self._contains_abort_marker(batch):
                self.aborted_producer_ids.discard(batch.producer_id)
            elif self._is_batch_aborted(batch):
                return True
        return bool(batch.is_control_batch)


def messages_of(batch: DefaultRecordBatch, partition: int) -> Iterable[Message]:
    """The records of a batch of version 2, in order."""
    batch._maybe_uncompress()
    try:
        return _read(batch, partition)
    except (ValueError, IndexError):
        return _by_the_library(batch, partition)  # It gives what is whole, then says what is not.


def _by_the_library(batch: Iterable[Any], partition: int) -> Iterator[Message]:
    for record in _whole(batch):
        if not record.validate_crc():
            raise errors.CorruptRecordError(f"the crc of offset {record.offset} is wrong")
        headers = tuple(record.headers)
        yield Message(partition, record.offset, record.key, record.value, record.timestamp, headers)


def _whole(batch: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from batch
    except UnicodeDecodeError as error:  # A header's name, in a batch that does not add up.
        raise errors.CorruptRecordError(f"the headers of a record are no text: {error}") from error


def _read(batch: DefaultRecordBatch, partition: int) -> list[Message]:
    data, at = bytes(batch._buffer), batch._pos
    by_broker = batch.timestamp_type == batch.LOG_APPEND_TIME  # one moment for all of them
    first_ms = batch.max_timestamp if by_broker else batch.first_timestamp
    messages = []
    for _ in range(batch.records_count):
        size, at = decode_varint(data, at)
        end = at + size
        later_ms, at = decode_varint(data, at + 1)  # after the attributes
        further, at = decode_varint(data, at)
        key, at = _sized(data, at)
        value, at = _sized(data, at)
        num_headers, at = decode_varint(data, at)
        headers: Headers = ()
        if num_headers:
            headers, at = _headers(data, at, num_headers)
        if at != end:
            raise ValueError("a record of another size")
        timestamp_ms = first_ms if by_broker else first_ms + later_ms
        offset = batch.base_offset + further
        messages.append(Message(partition, offset, key, value, timestamp_ms, headers))
    if at != len(data):
        raise ValueError("bytes behind the last record")
    return messages


def _sized(data: bytes, at: int) -> tuple[bytes | None, int]:
    size, at = decode_varint(data, at)
    if size < 0:
        return None, at
    return data[at : at + size], at + size


def _headers(data: bytes, at: int, count: int) -> tuple[Headers, int]:
    if count < 0:
        raise ValueError("a negative number of headers")
    headers = []
    for _ in range(count):
        name, at = _sized(data, at)
        value, at = _sized(data, at)
        headers.append(((name or b"").decode(errors="backslashreplace"), value or b""))
    return tuple(headers), at
