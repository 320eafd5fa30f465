"""The input: a static member of the group that takes equal shares of its partitions."""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import suppress
from typing import Any, Literal

from kafka import ConsumerGroupMetadata, KafkaConsumer, OffsetAndMetadata, TopicPartition, errors

from streamssl.events import Slice
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.patience import TROUBLE, Patience
from streamssl.transport.kafka.positions import Positions
from streamssl.transport.kafka.receiver import FETCH_WAIT_MS, Receiver
from streamssl.transport.kafka.rejoin import HonestAssignor
from streamssl.transport.kafka.security import Settings
from streamssl.transport.shares import equal_shares

# Small fetches, so that one round of all partitions fits into the stash and none waits long
# behind another's backlog; a single larger message is still delivered.
FETCH_BYTES = 256 * 1024


class Source:
    """The group's consumer.

    Args:
        settings: What all clients share.
        topic: Input topic.
        group: Consumer group.
        member: Static name of this member.
        session_timeout_ms: Silence after which the group gives the partitions away.
        start: Where a group without committed positions begins.
        patience: Told about trouble.

    Attributes:
        joined: Whether the group was entered.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        topic: str,
        group: str,
        member: str,
        session_timeout_ms: int,
        start: Literal["earliest", "latest"],
        patience: Patience,
    ) -> None:
        self._topic = topic
        self._patience = patience
        self._timeout_ms = settings["request_timeout_ms"]
        self._assignments = Assignments()
        self._turn = 0
        self.joined = False
        self._consumer = KafkaConsumer(
            **settings,
            group_id=group,
            group_instance_id=member,
            partition_assignment_strategy=[HonestAssignor(topic, self._assignments.held)],
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="none",  # decided in `positions.py`
            session_timeout_ms=session_timeout_ms,
            heartbeat_interval_ms=min(1_000, session_timeout_ms // 3),
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=FETCH_BYTES,
            metadata_max_age_ms=60_000,  # how soon partitions that were added are seen
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        self._positions = Positions(
            self._consumer,
            topic=topic,
            start=start,
            timeout_ms=settings["request_timeout_ms"],
            held=self._assignments.held,
            commit=self.commit,
        )
        self._receiver = Receiver(
            self._consumer,
            topic=topic,
            assignments=self._assignments,
            positions=self._positions,
            patience=patience,
        )

    def join(self) -> None:
        """Enter the group; the first polls take part in its rebalance."""
        self._consumer.subscribe([self._topic], listener=self._assignments)
        # A member that leads the group before it knows the topic's partitions assigns nothing to
        # anyone, and finds out minutes later.
        self._patience.retry(self._know_partitions)
        self.joined = True

    def assignment(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation."""
        return self._assignments.held()

    def lost(self) -> Set[tuple[int, int]]:
        """(partition, incarnation) that ended with the membership, not by a rebalance."""
        return self._assignments.lost()

    def metadata(self) -> ConsumerGroupMetadata | None:
        """The membership under which positions are committed; None while there is none."""
        group = self._consumer.group_metadata()
        is_member = group.generation_id >= 1 and bool(group.member_id)
        return group if is_member else None

    def member_id(self) -> str:
        """The id that the group gave this process; empty while it is not a member."""
        return str(self._consumer.group_metadata().member_id)

    def resume(self, partition: int, incarnation: int, offset: int) -> None:
        """Go on at `offset`: what comes before it was taken under an earlier incarnation."""
        self._receiver.drop(partition)
        with suppress(*TROUBLE):  # it has just left: there is nothing to go on with
            self._positions.resume(partition, incarnation, offset)

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """At most `max_messages` messages of the partitions held, in equal shares.

        Raises:
            FencedError: Another process joined the group as this instance.
            TopicUnreadableError: Waiting does not make the next records readable.
            TransportUnavailableError: Waiting does not mend what the broker refuses.
        """
        self._receiver.fill(max_messages, timeout_s)
        self._turn += 1
        shares = equal_shares(self._receiver.counts(), max_messages, turn=self._turn)
        slices = [self._take(p, share) for p, share in sorted(shares.items()) if share]
        return [piece for piece in slices if piece is not None]

    def pump(self) -> None:
        """Keep the membership alive while something else is waited for.

        Rejoining happens only inside the client's `poll`; what that returns is kept.
        """
        if self.joined:
            self._receiver.pump()

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        return self._positions.committed(partition)

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions outside any transaction (`at_least_once`)."""
        offsets = offsets_of(self._topic, positions)
        self._consumer.commit(offsets, timeout_ms=self._timeout_ms)

    def lag(self) -> dict[int, int]:
        """Messages not yet taken, of the partitions held whose end is known."""
        lags = {partition: self._receiver.lag_of(partition) for partition in self.assignment()}
        return {partition: lag for partition, lag in lags.items() if lag is not None}

    def close(self, timeout_s: float) -> None:
        """Stop receiving; a static member stays in the group until it is removed."""
        self.joined = False
        self._receiver.close(timeout_s)

    def _know_partitions(self) -> None:
        # Asking for an offset first fetches this topic's metadata, not those of the whole cluster.
        self._consumer.end_offsets([TopicPartition(self._topic, 0)], timeout_ms=self._timeout_ms)
        if not self._consumer.partitions_for_topic(self._topic):
            raise errors.UnknownTopicOrPartitionError(self._topic)

    def _take(self, partition: int, share: int) -> Slice | None:
        incarnation, first = self._receiver.next(partition)
        try:
            cursor = self._positions.cursor(partition, incarnation, first)
        except TROUBLE as error:  # the messages stay stashed for the next poll
            self._patience.endure(error)
            return None
        messages = self._receiver.take(partition, share)
        start, cursor.next = cursor.next, messages[-1].offset + 1
        missed, cursor.missed = cursor.missed, None
        return Slice(partition, incarnation, start, cursor.next, messages, missed)


def offsets_of(topic: str, positions: Mapping[int, int]) -> dict[TopicPartition, Any]:
    """Positions as kafka-python wants them for a commit."""
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(position, "", -1)
        for partition, position in positions.items()
    }
