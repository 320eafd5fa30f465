"""The input: a static member of the group, equal shares per partition, and no `pause()`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from contextlib import suppress
from typing import Any, Literal

from kafka import ConsumerGroupMetadata, KafkaConsumer, OffsetAndMetadata, TopicPartition, errors
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.structs import MemberState

from streamssl.events import Slice
from streamssl.transport.base import FencedError
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.patience import TROUBLE, Patience
from streamssl.transport.kafka.positions import Positions
from streamssl.transport.kafka.rejoin import KeptJoins
from streamssl.transport.kafka.security import Settings
from streamssl.transport.kafka.stash import Stash, to_message
from streamssl.transport.kafka.unreadable import UNREADABLE, unreadable
from streamssl.transport.shares import equal_shares

# Small fetches, so that one round of all partitions fits into the stash and none waits long
# behind another's backlog; a single larger message is still delivered.
FETCH_BYTES = 256 * 1024
STASH_MESSAGES, STASH_BYTES = 50_000, 32 * 2**20
PUMP_MESSAGES = 200
# Shortest poll while a rebalance is under way, in which the poll must take part.
REBALANCE_MS = 50
# How long the other partitions are looked for once something came: the broker answers a fetch
# of idle partitions within `FETCH_WAIT_MS`.
FETCH_WAIT_MS, LOOK_S = 50, 0.05
PROBE_INTERVAL_S, PROBE_MS = 2.0, 1_000


class Source:
    """The group's consumer.

    Records go from the client into a stash, from which each poll takes equal shares: the client
    itself drains one partition after the other. Back-pressure comes from receiving only while
    the stash has room, never from `pause()`, which can lose a partition for good.

    Args:
        settings: What all clients share.
        topic: Input topic.
        group: Consumer group.
        member: Static name of this member.
        session_timeout_ms: Silence after which the group gives the partitions away.
        start: Where a group without committed positions begins.
        patience: Told about trouble.
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
        self._stash = Stash()
        self._stashed: dict[int, int] = {}
        self._turn = 0
        self._probe_at = 0.0
        self._joined = False
        self._consumer = KafkaConsumer(
            **settings,
            group_id=group,
            group_instance_id=member,
            partition_assignment_strategy=[CooperativeStickyAssignor()],
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
        self._joins = KeptJoins(self._consumer)
        self._positions = Positions(
            self._consumer,
            topic=topic,
            start=start,
            timeout_ms=settings["request_timeout_ms"],
            held=self._assignments.held,
            commit=self.commit,
        )

    def join(self) -> None:
        """Enter the group; the first polls take part in its rebalance."""
        self._consumer.subscribe([self._topic], listener=self._assignments)
        # A member that leads the group before it knows the topic's partitions assigns nothing to
        # anyone, and finds out minutes later.
        self._patience.retry(self._know_partitions)
        self._joined = True

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
        self._stash.drop(partition)
        with suppress(*TROUBLE):  # it has just left: there is nothing to go on with
            self._positions.resume(partition, incarnation, offset)

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """At most `max_messages` messages of the partitions held, in equal shares.

        Raises:
            FencedError: Another process joined the group as this instance.
            TopicUnreadableError: Waiting does not make the next records readable.
            TransportUnavailableError: Waiting does not mend what the broker refuses.
        """
        self._fill(max_messages, timeout_s)
        self._turn += 1
        shares = equal_shares(self._stash.counts(), max_messages, turn=self._turn)
        slices = [self._take(p, share) for p, share in sorted(shares.items()) if share]
        return [piece for piece in slices if piece is not None]

    def pump(self) -> None:
        """Keep the membership alive while something else is waited for.

        Rejoining happens only inside the client's `poll`. What it returns is stashed; a stash
        that is full is given back, and read again later.
        """
        if not self._joined:
            return
        self._follow()
        if self._full():
            self._give_back()
        self._receive(0.02, PUMP_MESSAGES)

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        return self._positions.committed(partition)

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions outside any transaction (`at_least_once`)."""
        offsets = offsets_of(self._topic, positions)
        self._consumer.commit(offsets, timeout_ms=self._timeout_ms)

    def lag(self) -> dict[int, int]:
        """Messages not yet taken, of the partitions held whose end is known."""
        lags = {}
        for partition in list(self.assignment()):
            lag = self._lag_of(partition)
            if lag is not None:
                lags[partition] = lag
        return lags

    def close(self, timeout_s: float) -> None:
        """Stop receiving; a static member stays in the group until it is removed."""
        self._joined = False
        with self._joins.polling():
            self._consumer.close(autocommit=False, timeout_ms=int(timeout_s * 1_000))

    def _know_partitions(self) -> None:
        # Asking for an offset first fetches this topic's metadata, not those of the whole cluster.
        self._consumer.end_offsets([TopicPartition(self._topic, 0)], timeout_ms=self._timeout_ms)
        if not self._consumer.partitions_for_topic(self._topic):
            raise errors.UnknownTopicOrPartitionError(self._topic)

    # ---- receiving

    def _fill(self, chunk: int, timeout_s: float) -> None:
        """Receive until every partition held has something waiting, or nothing comes.

        Once there is something, others are waited for only where they have a backlog, and not
        for long.
        """
        deadline = time.monotonic() + timeout_s
        looking = False
        while True:
            held = self._follow()
            if self._full():
                return
            if self._stash.num_messages and not looking:
                looking, deadline = True, min(deadline, time.monotonic() + LOOK_S)
            wait_s = 0.0 if looking else max(0.0, deadline - time.monotonic())
            came = self._receive(wait_s, chunk)
            if held and self._stash.counts().keys() >= held.keys():
                return
            waiting = came or not self._stash.num_messages or self._is_behind(held)
            if time.monotonic() >= deadline or not waiting:
                return

    def _is_behind(self, held: Mapping[int, int]) -> bool:
        """Whether a partition of which nothing waits has messages, or may have (just begun)."""
        return any(self._lag_of(p) != 0 for p in held.keys() - self._stash.counts().keys())

    def _receive(self, timeout_s: float, max_records: int) -> bool:
        # At least a millisecond, or the client never gets as far as asking.
        least_ms = 1 if self._stable() else REBALANCE_MS
        timeout_ms = max(least_ms, int(timeout_s * 1_000))
        try:
            with self._joins.polling():
                records = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
            self._follow()
        except errors.FencedInstanceIdError as error:
            raise FencedError("another process joined the group as this instance") from error
        except errors.NoOffsetForPartitionError as error:
            return self._guarded(self._begin, error.args[0])
        except errors.OffsetOutOfRangeError as error:
            return self._guarded(self._expired, error.args[0])
        except UNREADABLE as error:
            raise unreadable(self._consumer, error) from error
        except TROUBLE as error:
            self._patience.endure(error)
            return False
        for tp, found in records.items():
            self._stash.put(tp.partition, map(to_message, found))
            self._stashed[tp.partition] = self.assignment().get(tp.partition, 0)
        if records:
            self._patience.well()
        else:
            self._probe()
        return bool(records)

    def _guarded(self, decide: Any, about: Any) -> bool:
        try:
            decide(about)
        except TROUBLE as error:
            self._patience.endure(error)
        return False

    def _stable(self) -> bool:
        return bool(self._consumer.group_metadata().state == MemberState.STABLE)

    def _follow(self) -> Mapping[int, int]:
        """Forget what was stashed under an incarnation that has ended."""
        held = self.assignment()
        for partition in list(self._stashed):
            if held.get(partition) != self._stashed[partition]:
                self._stash.drop(partition)
                del self._stashed[partition]
        return held

    def _full(self) -> bool:
        stash = self._stash
        return stash.num_messages >= STASH_MESSAGES or stash.num_bytes >= STASH_BYTES

    def _give_back(self) -> None:
        for partition in self._stash.counts():
            first = self._stash.first(partition)
            self._stash.drop(partition)
            self._consumer.seek(TopicPartition(self._topic, partition), first)

    def _probe(self) -> None:
        """An idle stream and a broker that is away look the same: ask now and then."""
        now = time.monotonic()
        if now < self._probe_at:
            return
        self._probe_at = now + PROBE_INTERVAL_S
        try:
            self._consumer.end_offsets([TopicPartition(self._topic, 0)], timeout_ms=PROBE_MS)
            self._patience.well()
        except TROUBLE as error:
            self._patience.endure(error)

    def _take(self, partition: int, share: int) -> Slice | None:
        incarnation, first = self._stashed[partition], self._stash.first(partition)
        if first is None:
            return None
        try:
            cursor = self._positions.cursor(partition, incarnation, first)
        except TROUBLE as error:  # the messages stay stashed for the next poll
            self._patience.endure(error)
            return None
        messages = self._stash.take(partition, share)
        start, cursor.next = cursor.next, messages[-1].offset + 1
        missed, cursor.missed = cursor.missed, None
        return Slice(partition, incarnation, start, cursor.next, messages, missed)

    def _begin(self, fresh: Any) -> None:
        if self._stable():  # or else the rebalance decides first whose they are
            self._positions.begin(fresh)

    def _expired(self, positions: Mapping[TopicPartition, int]) -> None:
        for tp, position in positions.items():
            # What is stashed comes first; the client will report the gap again.
            if self._stash.first(tp.partition) is None:
                self._positions.skip_expired(tp.partition, position)

    def _lag_of(self, partition: int) -> int | None:
        tp = TopicPartition(self._topic, partition)
        try:
            end = self._consumer.highwater(tp)
            first = self._stash.first(partition)
            position = first if first is not None else self._consumer.position(tp, timeout_ms=50)
        except TROUBLE:
            return None
        return None if end is None or position is None else max(0, end - position)


def offsets_of(topic: str, positions: Mapping[int, int]) -> dict[TopicPartition, Any]:
    """Positions as kafka-python wants them for a commit."""
    return {
        TopicPartition(topic, partition): OffsetAndMetadata(position, "", -1)
        for partition, position in positions.items()
    }
