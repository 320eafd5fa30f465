"""This instance's own journal partition, read to its stable end."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from kafka import TopicPartition

from streamssl.data.events import StreamsslError
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.kafka.range_reader import RangeReader
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.topics import Admin

# A record with the position after it.
PositionedRecord = tuple[int, JournalRecord]


class JournalUnreadableError(StreamsslError):
    """The journal holds what this version cannot read."""


class JournalReader:
    """Reads until the read_committed position has reached the uncommitted end.

    Only after the fence (`init_transactions`) is that final: no earlier attempt of this
    instance can land any more.

    Args:
        reader: Reads the journal topic.
        admin: Knows the uncommitted end.
        tp: The instance's own partition.
        retry_policy: Waits for the broker.
    """

    def __init__(
        self, reader: RangeReader, admin: Admin, *, tp: TopicPartition, retry_policy: RetryPolicy
    ) -> None:
        self._reader = reader
        self._admin = admin
        self._tp = tp
        self._retry_policy = retry_policy

    def end(self) -> int:
        """Position after everything written so far."""
        return self._retry_policy.retry(lambda: self._admin.uncommitted_end(self._tp))

    def read(
        self, position: int, meanwhile: Callable[[], None] = lambda: None
    ) -> tuple[list[PositionedRecord], int]:
        """The records from `position` on, each with the position after it, and the oldest kept.

        A record that was written twice (`at_least_once`, an acknowledgement lost) counts once.
        """
        end = self._retry_policy.retry(lambda: self._admin.uncommitted_end(self._tp), meanwhile)
        oldest = self._reader.oldest(self._tp.partition)
        start = max(position, oldest)
        messages = self._reader.read(self._tp.partition, start, end, meanwhile)
        self._reader.forget()
        records: dict[int, PositionedRecord] = {}
        for message in messages:
            record = self._decode(message.offset, message.value)
            records.setdefault(record.seq, (message.offset + 1, record))
        return list(records.values()), oldest

    def _decode(self, offset: int, value: bytes | None) -> JournalRecord:
        try:
            return decode_record(value or b"")
        except msgspec.MsgspecError as error:
            raise JournalUnreadableError(
                f"{self._tp.topic}/{self._tp.partition}/{offset} is not a journal record of this "
                f"version ({error}); use the version that wrote it, or another app.name"
            ) from error
