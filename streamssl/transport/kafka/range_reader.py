"""Ranges of any topic, read again outside the group: for recovery, tails and the journal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from kafka import KafkaConsumer, TopicPartition, errors

from streamssl.data.events import Message
from streamssl.telemetry.log_events import tell
from streamssl.transport.base import InputExpiredError
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.group_consumer import FETCH_WAIT_MS
from streamssl.transport.kafka.message_queues import MessageQueues
from streamssl.transport.kafka.record_decoding import decode_to_messages
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.security import Settings
from streamssl.transport.kafka.topics import Admin
from streamssl.transport.kafka.unreadable import UNREADABLE, unreadable

log = logging.getLogger(__name__)

# What is kept for the reads to come: messages of each other partition, and bytes in all, beside
# the one round of fetches that may be under way.
AHEAD_MESSAGES, AHEAD_BYTES = 8_000, 32 * 2**20
# One poll: a turn in which nothing comes is short beside the time-outs of requests (5 s).
POLL_MS, POLL_MESSAGES = 200, 5_000
# Without progress for so long, the range is checked again, and the wait is told.
STALLED_S = 5.0
CLOSE_MS = 1_000


def open_consumer(settings: Settings) -> KafkaConsumer:
    """A consumer of committed records without a group, for `assign`; it gives messages."""
    return decode_to_messages(
        KafkaConsumer(
            **settings,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=FETCH_WAIT_MS,
            metrics_enabled=False,
        )
    )


def open_reader(
    settings: Settings, *, topic: str, admin: Admin, retry_policy: RetryPolicy
) -> RangeReader:
    """A reader of one topic on a consumer of its own, as soon as the broker answers."""
    consumer = retry_policy.retry(lambda: open_consumer(settings))
    return RangeReader(consumer, topic=topic, retry_policy=retry_policy, end=admin.uncommitted_end)


class RangeReader:
    """One consumer, kept open (each new one costs a third of a second).

    A recovery reads ranges of all partitions in turn, each partition forwards: what comes for
    the others meanwhile is kept, up to a bound, and a partition that is far ahead is not
    fetched.

    Args:
        consumer: A consumer without a group.
        topic: The topic that is read.
        retry_policy: Records failures; may end the wait.
        end: Position after everything written to a partition, whether committed or not.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        *,
        topic: str,
        retry_policy: RetryPolicy,
        end: Callable[[TopicPartition], int],
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._retry_policy = retry_policy
        self._end = end
        self._queues = MessageQueues()
        self._next: dict[int, int] = {}
        self._assigned: set[int] = set()

    def read(
        self,
        partition: int,
        start: int,
        stop: int,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> list[Message]:
        """The committed messages of `[start, stop)`; waits for open transactions to end.

        Raises:
            InputExpiredError: Part of the range is no longer kept.
            TopicUnreadableError: Waiting does not make its records readable.
        """
        if self._next.get(partition) != start:
            self._begin_at(partition, start, stop)
        moved = time.monotonic()
        while (reached := self._reached(partition)) < stop:
            self._fetch(partition, start, stop)
            if self._reached(partition) > reached:
                moved = time.monotonic()
            elif time.monotonic() - moved > STALLED_S:
                self._check_range(partition, start, stop, self._received(partition))
                place = f"{self._topic}/{partition} [{reached}, {stop})"
                tell(log, "waiting_for_transaction", place=place)
                moved = time.monotonic()
            meanwhile()
        self._next[partition] = stop
        return self._queues.take_below(partition, stop)

    def oldest(self, partition: int) -> int:
        """Oldest offset still kept."""
        tp = TopicPartition(self._topic, partition)
        return self._retry_policy.retry(lambda: int(self._consumer.beginning_offsets([tp])[tp]))

    def forget(self) -> None:
        """Free what was read ahead; the next read begins anew."""
        for partition in self._queues.counts():
            self._queues.drop(partition)
        self._next.clear()
        self._assigned.clear()
        self._consumer.unsubscribe()

    def close(self) -> None:
        """Close the consumer and its connections."""
        self._consumer.close(autocommit=False, timeout_ms=CLOSE_MS)

    def _begin_at(self, partition: int, start: int, stop: int) -> None:
        if start < stop:
            self._check_range(partition, start, stop, start)
        self._queues.drop(partition)
        self._next[partition] = start
        self._assigned.discard(partition)

    def _check_range(self, partition: int, start: int, stop: int, position: int) -> None:
        """Refuse what will never come; what an open transaction hides may still come."""
        tp = TopicPartition(self._topic, partition)
        oldest = self.oldest(partition)
        end = self._retry_policy.retry(lambda: self._end(tp))
        if position < min(oldest, stop) or end < stop:
            raise InputExpiredError(partition, start, stop, min(oldest, stop))

    def _fetch(self, partition: int, start: int, stop: int) -> None:
        self._retry_policy.check_limits()
        try:
            self._assign_wanted(partition)
            found = self._consumer.poll(timeout_ms=POLL_MS, max_records=POLL_MESSAGES)
        except errors.OffsetOutOfRangeError as error:
            self._check_range(partition, start, stop, self._received(partition))
            for tp in error.args[0]:
                self._drop_expired(tp.partition, partition)
            self._assigned.clear()
        except UNREADABLE as error:
            raise unreadable(self._consumer, error) from error
        except CLIENT_ERRORS as error:
            self._retry_policy.record_or_raise(error)
            self._retry_policy.wait(POLL_MS / 1_000)
        else:
            for tp, messages in found.items():
                self._queues.put(tp.partition, messages)

    def _drop_expired(self, partition: int, read: int) -> None:
        """Another partition has expired where it was read ahead: its next read begins anew."""
        if partition != read:
            self._queues.drop(partition)
            self._next.pop(partition, None)

    def _assign_wanted(self, partition: int) -> None:
        """Fetch the partition that is read, and the others that are not too far ahead."""
        counts = self._queues.counts()
        room = self._queues.num_bytes < AHEAD_BYTES
        wanted = {p for p in self._next if room and counts.get(p, 0) < AHEAD_MESSAGES}
        wanted.add(partition)
        fresh = wanted - self._assigned
        if wanted == self._assigned:
            return
        resume = {p: self._received(p) for p in fresh}
        self._consumer.assign([TopicPartition(self._topic, p) for p in sorted(wanted)])
        for p, offset in resume.items():
            self._consumer.seek(TopicPartition(self._topic, p), offset)
        self._assigned = wanted

    def _received(self, partition: int) -> int:
        last = self._queues.last(partition)
        return self._next[partition] if last is None else last + 1

    def _reached(self, partition: int) -> int:
        """Position after everything received, markers of transactions included."""
        if partition not in self._assigned:
            return self._received(partition)
        tp = TopicPartition(self._topic, partition)
        try:
            position = self._consumer.position(tp, timeout_ms=POLL_MS)
        except CLIENT_ERRORS:
            position = None
        return max(position or 0, self._received(partition))
