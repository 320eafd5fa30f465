"""The input: a static member of the group that takes equal shares of its partitions."""

from __future__ import annotations

from collections.abc import Mapping, Set
from contextlib import suppress
from typing import Literal

from streamssl.data.events import Slice
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.clients.base import Library, Membership
from streamssl.transport.kafka.patience import TROUBLE, Patience
from streamssl.transport.kafka.positions import Positions
from streamssl.transport.kafka.receiver import Receiver
from streamssl.transport.shares import equal_shares


class Source:
    """The group's consumer.

    Args:
        library: Makes the consumer.
        topic: Input topic.
        group: Consumer group.
        member: Static name of this member.
        start: Where a group without committed positions begins.
        patience: Told about trouble.

    Attributes:
        joined: Whether the group was entered.
    """

    def __init__(
        self,
        library: Library,
        *,
        topic: str,
        group: str,
        member: str,
        start: Literal["earliest", "latest"],
        patience: Patience,
    ) -> None:
        self._patience = patience
        self._assignments = Assignments()
        self._turn = 0
        self.joined = False
        self._consumer = library.new_consumer(
            topic=topic, group=group, member=member, assignments=self._assignments
        )
        self._positions = Positions(
            self._consumer,
            topic=topic,
            start=start,
            held=self._assignments.held,
            commit=self.commit,
        )
        self._receiver = Receiver(
            self._consumer,
            assignments=self._assignments,
            positions=self._positions,
            patience=patience,
        )

    def join(self) -> None:
        """Enter the group; the first polls take part in its rebalance."""
        self._patience.retry(self._consumer.join)
        self.joined = True

    def assignment(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation."""
        return self._assignments.held()

    def lost(self) -> Set[tuple[int, int]]:
        """(partition, incarnation) that ended with the membership, not by a rebalance."""
        return self._assignments.lost()

    def membership(self) -> Membership | None:
        """The place in the group under which positions are committed; None while there is none."""
        return self._consumer.membership()

    def member_id(self) -> str:
        """The id that the group gave this process; empty while it is not a member."""
        return self._consumer.member_id()

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
        return self._consumer.committed(partition)

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions outside any transaction (`at_least_once`)."""
        self._consumer.commit(positions)

    def lag(self) -> dict[int, int]:
        """Messages not yet taken, of the partitions held whose end is known."""
        lags = {partition: self._receiver.lag_of(partition) for partition in self.assignment()}
        return {partition: lag for partition, lag in lags.items() if lag is not None}

    def close(self, timeout_s: float) -> None:
        """Stop receiving; a static member stays in the group until it is removed."""
        self.joined = False
        self._receiver.close(timeout_s)

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
