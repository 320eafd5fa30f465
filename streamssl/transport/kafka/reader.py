"""Ranges of any topic, read again outside the group: for recovery, tails and the journal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from kafka import KafkaConsumer, TopicPartition, errors

from streamssl.data.events import Message
from streamssl.transport.base import InputExpiredError
from streamssl.transport.kafka.patience import TROUBLE, Patience
from streamssl.transport.kafka.records import give_messages
from streamssl.transport.kafka.security import Settings
from streamssl.transport.kafka.stash import Stash
from streamssl.transport.kafka.topics import Admin
from streamssl.transport.kafka.unreadable import UNREADABLE, unreadable

log = logging.getLogger(__name__)

# What is kept for the reads to come: messages of each other partition, and bytes in all, beside
# the one round of fetches that may be under way.
AHEAD_MESSAGES, AHEAD_BYTES = 8_000, 32 * 2**20
STALLED_S = 5.0


def open_consumer(settings: Settings) -> KafkaConsumer:
    """A consumer of committed records without a group, for `assign`; it gives messages."""
    return give_messages(
        KafkaConsumer(
            **settings,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=50,
            metrics_enabled=False,
        )
    )


def open_reader(settings: Settings, *, topic: str, admin: Admin, patience: Patience) -> RangeReader:
    """A reader of one topic on a consumer of its own, as soon as the broker answers."""
    consumer = patience.retry(lambda: open_consumer(settings))
    return RangeReader(consumer, topic=topic, patience=patience, end=admin.uncommitted_end)


class RangeReader:
    """One consumer, kept open (each new one costs a third of a second).

    A recovery reads ranges of all partitions in turn, each partition forwards: what comes for
    the others meanwhile is kept, up to a bound, and a partition that is far ahead is not
    fetched.

    Args:
        consumer: A consumer without a group.
        topic: The topic that is read.
        patience: Told about trouble; may end the wait.
        end: Position after everything written to a partition, whether committed or not.
    """

    def __init__(
        self,
        consumer: KafkaConsumer,
        *,
        topic: str,
        patience: Patience,
        end: Callable[[TopicPartition], int],
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._patience = patience
        self._end = end
        self._stash = Stash()
        self._next: dict[int, int] = {}
        self._fetched: set[int] = set()

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
            self._aim(partition, start, stop)
        moved = time.monotonic()
        while (reached := self._reached(partition)) < stop:
            self._receive(partition, start, stop)
            if self._reached(partition) > reached:
                moved = time.monotonic()
            elif time.monotonic() - moved > STALLED_S:
                self._check_range(partition, start, stop, self._received(partition))
                place = f"{self._topic}/{partition} [{reached}, {stop})"
                log.info("waiting for %s, which an open transaction may hide", place)
                moved = time.monotonic()
            meanwhile()
        self._next[partition] = stop
        return self._stash.take_below(partition, stop)

    def oldest(self, partition: int) -> int:
        """Oldest offset still kept."""
        tp = TopicPartition(self._topic, partition)
        return self._patience.retry(lambda: int(self._consumer.beginning_offsets([tp])[tp]))

    def forget(self) -> None:
        """Free what was read ahead; the next read aims anew."""
        for partition in self._stash.counts():
            self._stash.drop(partition)
        self._next.clear()
        self._fetched.clear()
        self._consumer.unsubscribe()

    def close(self) -> None:
        """Free the consumer."""
        self._consumer.close(autocommit=False, timeout_ms=1_000)

    def _aim(self, partition: int, start: int, stop: int) -> None:
        if start < stop:
            self._check_range(partition, start, stop, start)
        self._stash.drop(partition)
        self._next[partition] = start
        self._fetched.discard(partition)

    def _check_range(self, partition: int, start: int, stop: int, position: int) -> None:
        """Refuse what will never come; what an open transaction hides may still come."""
        tp = TopicPartition(self._topic, partition)
        oldest = self.oldest(partition)
        end = self._patience.retry(lambda: self._end(tp))
        if position < min(oldest, stop) or end < stop:
            raise InputExpiredError(partition, start, stop, min(oldest, stop))

    def _receive(self, partition: int, start: int, stop: int) -> None:
        self._patience.check()
        try:
            self._fetch_for(partition)
            for tp, records in self._consumer.poll(timeout_ms=200, max_records=5_000).items():
                self._stash.put(tp.partition, records)
        except errors.OffsetOutOfRangeError as error:
            self._check_range(partition, start, stop, self._received(partition))
            for tp in error.args[0]:
                self._lose_track(tp.partition, partition)
            self._fetched.clear()
        except UNREADABLE as error:
            raise unreadable(self._consumer, error) from error
        except TROUBLE as error:
            self._patience.endure(error)
            self._patience.pause(0.2)

    def _lose_track(self, partition: int, read: int) -> None:
        """Another partition has expired where it was read ahead: its next read aims anew."""
        if partition != read:
            self._stash.drop(partition)
            self._next.pop(partition, None)

    def _fetch_for(self, partition: int) -> None:
        """Fetch the partition that is read, and the others that are not too far ahead."""
        counts = self._stash.counts()
        room = self._stash.num_bytes < AHEAD_BYTES
        wanted = {p for p in self._next if room and counts.get(p, 0) < AHEAD_MESSAGES}
        wanted.add(partition)
        fresh = wanted - self._fetched
        if wanted == self._fetched:
            return
        resume = {p: self._received(p) for p in fresh}
        self._consumer.assign([TopicPartition(self._topic, p) for p in sorted(wanted)])
        for p, offset in resume.items():
            self._consumer.seek(TopicPartition(self._topic, p), offset)
        self._fetched = wanted

    def _received(self, partition: int) -> int:
        last = self._stash.last(partition)
        return self._next[partition] if last is None else last + 1

    def _reached(self, partition: int) -> int:
        """Position after everything received, markers of transactions included."""
        if partition not in self._fetched:
            return self._received(partition)
        tp = TopicPartition(self._topic, partition)
        try:
            position = self._consumer.position(tp, timeout_ms=200)
        except TROUBLE:
            position = None
        return max(position or 0, self._received(partition))
