"""kafka-python's consumer as a static member of the group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kafka import (
    ConsumerGroupMetadata,
    ConsumerRebalanceListener,
    KafkaConsumer,
    TopicPartition,
    errors,
)
from kafka.structs import MemberState

from streamssl.data.events import Message
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.producer import offsets_of
from streamssl.transport.kafka.record_decoding import decode_to_messages
from streamssl.transport.kafka.rejoin import DeferredJoins, HeldPartitionsAssignor
from streamssl.transport.kafka.security import Settings
from streamssl.transport.kafka.unreadable import UNREADABLE, unreadable

# How long the broker may keep a fetch of idle partitions: its usual 500 ms would be the latency of
# those that are not.
FETCH_WAIT_MS = 50
# Small fetches, so that one round of all partitions fits into the fetch buffer and none waits long
# behind another's backlog; a single larger message is still delivered.
FETCH_BYTES = 256 * 1024
# How soon partitions that were added are seen: the library's own five minutes would be long.
METADATA_AGE_MS = 60_000
# Shortest poll: at least a millisecond, or the client never gets as far as asking, and longer
# while a rebalance is under way, in which the poll must take part.
LEAST_POLL_MS, REBALANCE_MS = 1, 50
# A position is known, or is about to be: the next question comes soon.
POSITION_MS = 50
# Apache Kafka's advice: at least three heartbeats a session.
HEARTBEAT_MS, HEARTBEATS_A_SESSION = 1_000, 3


class RebalanceListener(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped library
    """Tells the assignments what the library's callbacks say."""

    def __init__(self, assignments: Assignments) -> None:
        self._assignments = assignments

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """The group gave these partitions to this member."""
        self._assignments.assign(tp.partition for tp in assigned)

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The group took these partitions from this member."""
        self._assignments.revoke(tp.partition for tp in revoked)

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """The membership has ended, and all its partitions are lost."""
        self._assignments.lose(tp.partition for tp in lost)


class GroupConsumer:
    """A static member of the group, reading committed records of one topic.

    Which partitions it holds is told to its `Assignments`, before any record of them is given.

    Args:
        settings: What all clients share.
        topic: Input topic.
        group: Consumer group.
        member: Static name of this member.
        session_timeout_ms: Silence after which the group gives the partitions away.
        assignments: Told what is held.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        topic: str,
        group: str,
        member: str,
        session_timeout_ms: int,
        assignments: Assignments,
    ) -> None:
        self._topic = topic
        self._timeout_ms = settings["request_timeout_ms"]
        self._listener = RebalanceListener(assignments)
        self._consumer = KafkaConsumer(
            **settings,
            group_id=group,
            group_instance_id=member,
            partition_assignment_strategy=[HeldPartitionsAssignor(topic, assignments.held)],
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",  # decided in `cursors.py`
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=min(HEARTBEAT_MS, session_timeout_ms // HEARTBEATS_A_SESSION),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=METADATA_AGE_MS,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        decode_to_messages(self._consumer)
        self._joins = DeferredJoins(self._consumer)

    def join(self) -> None:
        """Enter the group, again after a failure; the first polls take part in its rebalance.

        A member that leads the group before it knows the topic's partitions assigns nothing to
        anyone, and finds out minutes later. Asking for an offset first fetches this topic's
        metadata, not those of the whole cluster.
        """
        if not self._consumer.subscription():
            self._consumer.subscribe([self._topic], listener=self._listener)
        self.newest([0])
        if not self._consumer.partitions_for_topic(self._topic):
            raise errors.UnknownTopicOrPartitionError(self._topic)

    def poll(self, timeout_s: float, max_messages: int) -> Mapping[int, list[Message]]:
        """What came, in offset order per partition; waits up to `timeout_s` for the first.

        Raises:
            NoOffsetForPartitionError: Until `seek` says where its partitions begin.
            OffsetOutOfRangeError: Until `seek` says where its partitions go on.
            TopicUnreadableError: The next records cannot be read, now or later.
            FencedInstanceIdError: Another process joined the group as this member.
            KafkaError: A failure that waiting may mend.
        """
        least_ms = LEAST_POLL_MS if self.is_stable() else REBALANCE_MS
        timeout_ms = max(least_ms, int(timeout_s * 1_000))
        try:
            with self._joins.polling():
                found = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_messages)
        except UNREADABLE as error:
            raise unreadable(self._consumer, error) from error
        return {tp.partition: messages for tp, messages in found.items()}

    def membership(self) -> ConsumerGroupMetadata | None:
        """The place in the group under which positions may be committed, None without one."""
        group = self._consumer.group_metadata()
        return group if group.generation_id >= 1 and group.member_id else None

    def is_stable(self) -> bool:
        """Whether this is a member of a group in which no rebalance is under way."""
        return is_stable(self._consumer.group_metadata())

    def member_id(self) -> str:
        """The id that the group gave this process; empty while it is not a member."""
        return str(self._consumer.group_metadata().member_id)

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        found: int | None = self._consumer.committed(
            self._tp(partition), timeout_ms=self._timeout_ms
        )
        return found

    def oldest(self, partitions: Iterable[int]) -> dict[int, int]:
        """Oldest position kept, by partition."""
        return self._ask(self._consumer.beginning_offsets, partitions, None)

    def newest(self, partitions: Iterable[int], timeout_s: float | None = None) -> dict[int, int]:
        """Position after everything committed, by partition."""
        return self._ask(self._consumer.end_offsets, partitions, timeout_s)

    def known_end(self, partition: int) -> int | None:
        """Position after everything written, as far as it was told already."""
        end: int | None = self._consumer.highwater(self._tp(partition))
        return end

    def position(self, partition: int) -> int | None:
        """Position after everything that `poll` gave, None before it has begun."""
        found: int | None = self._consumer.position(self._tp(partition), timeout_ms=POSITION_MS)
        return found

    def seek(self, partition: int, position: int) -> None:
        """Go on there in a partition that is held."""
        self._consumer.seek(self._tp(partition), position)

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions outside any transaction.

        Raises:
            CommitFailedError: The membership has ended, or a rebalance is under way.
        """
        offsets = offsets_of(self._topic, positions)
        self._consumer.commit(offsets, timeout_ms=self._timeout_ms)

    def close(self, timeout_s: float) -> None:
        """Stop; the member stays in the group until it is removed or its session ends."""
        with self._joins.polling():
            self._consumer.close(autocommit=False, timeout_ms=int(timeout_s * 1_000))

    def _ask(
        self, ask: Callable[..., Any], partitions: Iterable[int], timeout_s: float | None
    ) -> dict[int, int]:
        timeout_ms = self._timeout_ms if timeout_s is None else int(timeout_s * 1_000)
        found = ask([self._tp(p) for p in partitions], timeout_ms=timeout_ms)
        return {tp.partition: int(offset) for tp, offset in found.items()}

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)


def is_stable(group: ConsumerGroupMetadata) -> bool:
    """Whether no rebalance is under way: what is held is what the group gave last."""
    return group.state is MemberState.STABLE
