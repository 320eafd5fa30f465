"""The input: a static member of the group that takes equal shares of its partitions."""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import suppress

from kafka import ConsumerGroupMetadata

from streamssl.data.events import Slice
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.cursors import PartitionCursors
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.fetch_buffer import FetchBuffer
from streamssl.transport.kafka.group_consumer import GroupConsumer
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.shares import equal_shares


class Subscription:
    """One member's part of the input: slices of the partitions that the group gave it.

    Args:
        consumer: A member of the group that has not joined yet.
        assignments: What the consumer tells of the partitions held.
        topic: Input topic.
        at_end: Partitions that begin at their end where the group has no position.
        retry_policy: Records failures.

    Attributes:
        joined: Whether the group was entered.
    """

    def __init__(
        self,
        consumer: GroupConsumer,
        assignments: Assignments,
        *,
        topic: str,
        at_end: Set[int],
        retry_policy: RetryPolicy,
    ) -> None:
        self._retry_policy = retry_policy
        self._consumer = consumer
        self._assignments = assignments
        self._turn = 0
        self.joined = False
        self._cursors = PartitionCursors(
            consumer, topic=topic, at_end=at_end, held=assignments.held, commit=self.commit
        )
        self._buffer = FetchBuffer(
            consumer, assignments=assignments, cursors=self._cursors, retry_policy=retry_policy
        )

    def join(self) -> None:
        """Enter the group; the first polls take part in its rebalance."""
        self._retry_policy.retry(self._consumer.join)
        self.joined = True

    def assignment(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation."""
        return self._assignments.held()

    def lost(self) -> Set[tuple[int, int]]:
        """(partition, incarnation) that ended with the membership, not by a rebalance."""
        return self._assignments.lost()

    def membership(self) -> ConsumerGroupMetadata | None:
        """The place in the group under which positions may be committed, None without one."""
        return self._consumer.membership()

    def member_id(self) -> str:
        """The id that the group gave this process; empty while it is not a member."""
        return self._consumer.member_id()

    def resume(self, partition: int, incarnation: int, offset: int) -> None:
        """Go on at `offset`: what comes before it was taken under an earlier incarnation."""
        self._buffer.drop(partition)
        with suppress(*CLIENT_ERRORS):  # it has just left: there is nothing to go on with
            self._cursors.resume(partition, incarnation, offset)

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """At most `max_messages` messages of the partitions held, in equal shares.

        Raises:
            FencedError: Another process joined the group as this instance.
            TopicUnreadableError: Waiting does not make the next records readable.
            TransportUnavailableError: Waiting does not mend what the broker refuses.
        """
        self._buffer.fill(max_messages, timeout_s)
        self._turn += 1
        shares = equal_shares(self._buffer.counts(), max_messages, turn=self._turn)
        slices = [self._take(p, share) for p, share in sorted(shares.items()) if share]
        return [piece for piece in slices if piece is not None]

    def keep_alive(self) -> None:
        """Keep the membership alive while something else is waited for.

        Rejoining happens only inside the client's `poll`; what that returns is kept.
        """
        if self.joined:
            self._buffer.keep_alive()

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        return self._consumer.committed(partition)

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions outside any transaction (`at_least_once`)."""
        self._consumer.commit(positions)

    def lag(self) -> dict[int, int]:
        """Messages not yet taken, of the partitions held whose end is known."""
        lags = {partition: self._buffer.lag_of(partition) for partition in self.assignment()}
        return {partition: lag for partition, lag in lags.items() if lag is not None}

    def close(self, timeout_s: float) -> None:
        """Stop receiving; a static member stays in the group until it is removed."""
        self.joined = False
        self._buffer.close(timeout_s)

    def _take(self, partition: int, share: int) -> Slice | None:
        incarnation, first = self._buffer.peek(partition)
        try:
            cursor = self._cursors.cursor(partition, incarnation, first)
        except CLIENT_ERRORS as error:  # the messages stay for the next poll
            self._retry_policy.record_or_raise(error)
            return None
        messages = self._buffer.take(partition, share)
        start, cursor.next = cursor.next, messages[-1].offset + 1
        missed, cursor.missed = cursor.missed, None
        return Slice(partition, incarnation, start, cursor.next, messages, missed)
