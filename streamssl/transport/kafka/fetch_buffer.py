"""Messages fetched and not yet taken: fair between partitions, bounded, without `pause()`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from kafka import errors

from streamssl.data.events import Message
from streamssl.transport.base import FencedError
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.cursors import PartitionCursors
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.group_consumer import GroupConsumer
from streamssl.transport.kafka.message_queues import MessageQueues
from streamssl.transport.kafka.retry import RetryPolicy

A = TypeVar("A")

# A full buffer: a dozen of the largest transactions (`delivery.max_events`), and the same bytes
# whatever the size of a message.
MAX_MESSAGES, MAX_BYTES = 50_000, 32 * 2**20
# A poll that only keeps the membership alive: few messages, and no longer than a turn of a wait.
KEEP_ALIVE_MESSAGES, KEEP_ALIVE_S = 200, 0.02
# How long the other partitions are waited for once something came: the broker answers a fetch
# of idle partitions within `group_consumer.FETCH_WAIT_MS`.
TOP_UP_S = 0.05
# How often an idle broker is asked whether it is there, and how long it may take: `/readyz` then
# knows within three seconds.
PROBE_INTERVAL_S, PROBE_TIMEOUT_S = 2.0, 1.0


class FetchBuffer:
    """Keeps apart, by partition, what the consumer gave and nobody has taken yet.

    The consumer itself drains one partition after the other. Back-pressure comes from fetching
    only while there is room, never from `pause()`, which can lose a partition for good.

    Args:
        consumer: The group's consumer.
        assignments: Partitions held now.
        cursors: Decide where a partition without a valid position goes on.
        retry_policy: Records failures.
    """

    def __init__(
        self,
        consumer: GroupConsumer,
        *,
        assignments: Assignments,
        cursors: PartitionCursors,
        retry_policy: RetryPolicy,
    ) -> None:
        self._consumer = consumer
        self._assignments = assignments
        self._cursors = cursors
        self._retry_policy = retry_policy
        self._queues = MessageQueues()
        self._incarnations: dict[int, int] = {}
        self._probe_at = 0.0

    def fill(self, max_messages: int, timeout_s: float) -> None:
        """Fetch until every partition held has something waiting, or nothing comes.

        Once there is something, others are waited for only where they have a backlog, and not
        for long.

        Args:
            max_messages: That one poll of the consumer may give.
            timeout_s: How long the first message is waited for.

        Raises:
            FencedError: Another process joined the group as this instance.
            TopicUnreadableError: Waiting does not make the next records readable.
            TransportUnavailableError: Waiting does not mend what the broker refuses.
        """
        deadline = time.monotonic() + timeout_s
        topping_up = False
        while True:
            held = self._drop_ended()
            if self._is_full():
                return
            if self._queues.num_messages and not topping_up:
                topping_up, deadline = True, min(deadline, time.monotonic() + TOP_UP_S)
            wait_s = 0.0 if topping_up else max(0.0, deadline - time.monotonic())
            came = self._fetch(wait_s, max_messages)
            if held and self._queues.counts().keys() >= held.keys():
                return
            waiting = came or not self._queues.num_messages or self._is_behind(held)
            if time.monotonic() >= deadline or not waiting:
                return

    def counts(self) -> Mapping[int, int]:
        """Messages that wait, of the partitions where any do."""
        return self._queues.counts()

    def peek(self, partition: int) -> tuple[int, int]:
        """Incarnation under which a partition's next message came, and its offset."""
        first = self._queues.first(partition)
        assert first is not None, "asked of a partition where nothing waits"
        return self._incarnations[partition], first

    def take(self, partition: int, count: int) -> list[Message]:
        """The next `count` messages of a partition, or as many as wait."""
        return self._queues.take(partition, count)

    def drop(self, partition: int) -> None:
        """Forget what waits of a partition."""
        self._queues.drop(partition)

    def keep_alive(self) -> None:
        """One short poll, whatever waits already; a full buffer is emptied, and fetched again."""
        self._drop_ended()
        if self._is_full():
            self._seek_back()
        self._fetch(KEEP_ALIVE_S, KEEP_ALIVE_MESSAGES)

    def close(self, timeout_s: float) -> None:
        """Close the consumer, which stays a member of the group."""
        self._consumer.close(timeout_s)

    def lag_of(self, partition: int) -> int | None:
        """Messages of a partition that nobody has taken, None while its end is not known."""
        try:
            end = self._consumer.known_end(partition)
            first = self._queues.first(partition)
            position = first if first is not None else self._consumer.position(partition)
        except CLIENT_ERRORS:
            return None
        return None if end is None or position is None else max(0, end - position)

    def _is_behind(self, held: Mapping[int, int]) -> bool:
        """Whether a partition of which nothing waits has messages, or may have (just begun)."""
        return any(self.lag_of(p) != 0 for p in held.keys() - self._queues.counts().keys())

    def _fetch(self, timeout_s: float, max_messages: int) -> bool:
        """Put what one poll gives into the queues; whether it gave anything."""
        try:
            found = self._consumer.poll(timeout_s, max_messages)
            self._drop_ended()
        except errors.FencedInstanceIdError as error:
            raise FencedError("another process joined the group as this instance") from error
        except errors.NoOffsetForPartitionError as error:
            return self._decide(self._begin, {tp.partition for tp in error.args[0]})
        except errors.OffsetOutOfRangeError as error:
            positions = {tp.partition: position for tp, position in error.args[0].items()}
            return self._decide(self._skip_expired, positions)
        except CLIENT_ERRORS as error:
            self._retry_policy.record_or_raise(error)
            return False
        for partition, messages in found.items():
            self._queues.put(partition, messages)
            self._incarnations[partition] = self._assignments.held().get(partition, 0)
        if found:
            self._retry_policy.record_success()
        else:
            self._probe_broker()
        return bool(found)

    def _decide(self, decide: Callable[[A], None], about: A) -> bool:
        """Decide where partitions go on; the consumer asks again where that fails."""
        try:
            decide(about)
        except CLIENT_ERRORS as error:
            self._retry_policy.record_or_raise(error)
        return False

    def _drop_ended(self) -> Mapping[int, int]:
        """Forget what came under an incarnation that has ended; the partitions held."""
        held = self._assignments.held()
        for partition in list(self._incarnations):
            if held.get(partition) != self._incarnations[partition]:
                self._queues.drop(partition)
                del self._incarnations[partition]
        return held

    def _is_full(self) -> bool:
        queues = self._queues
        return queues.num_messages >= MAX_MESSAGES or queues.num_bytes >= MAX_BYTES

    def _seek_back(self) -> None:
        for partition in self._queues.counts():
            first = self._queues.first(partition)
            self._queues.drop(partition)
            if first is not None:
                self._consumer.seek(partition, first)

    def _probe_broker(self) -> None:
        """An idle stream and a broker that is away look the same: ask now and then."""
        now = time.monotonic()
        if now < self._probe_at:
            return
        self._probe_at = now + PROBE_INTERVAL_S
        try:
            self._consumer.newest([0], PROBE_TIMEOUT_S)
            self._retry_policy.record_success()
        except CLIENT_ERRORS as error:
            self._retry_policy.record_or_raise(error)

    def _begin(self, fresh: set[int]) -> None:
        if self._consumer.is_stable():  # or else the rebalance decides first whose they are
            self._cursors.begin(fresh)

    def _skip_expired(self, positions: Mapping[int, int]) -> None:
        for partition, position in positions.items():
            # What waits comes first; the consumer will report the gap again.
            if self._queues.first(partition) is None:
                self._cursors.skip_expired(partition, position)
