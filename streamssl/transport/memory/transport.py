"""One instance's connection to a broker in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from streamssl.data.events import Slice
from streamssl.transport.base import InputExpiredError, Receipt, Transaction
from streamssl.transport.holding import returned, still_held
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.memory.broker import MemoryBroker, OutcomeUnknownError
from streamssl.transport.memory.group import Member
from streamssl.transport.shares import equal_shares


class MemoryTransport:
    """One instance's connection to a `MemoryBroker`.

    Args:
        broker: The broker that all instances share.
        topic: Input topic.
        app: Consumer group, and prefix of the output topics.
        instance: Ordinal of this instance.
        start: Where a group without a committed position begins.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        topic: str = "events",
        app: str = "streamssl",
        instance: int = 0,
        start: Literal["earliest", "latest"] = "earliest",
    ) -> None:
        self.topic = topic
        self._broker = broker
        self._app = app
        self._instance = instance
        self._start = start
        self._member: Member | None = None
        self._producer_epoch = 0
        self._journal_position = 0
        self._turn = 0
        # partition -> (incarnation, next offset); a position dies with its incarnation.
        self._positions: dict[int, tuple[int, int]] = {}
        self._lost: set[tuple[int, int]] = set()

    def open(self) -> None:
        """Fence every earlier process of this instance; its journal is final from here on."""
        self._broker.create_topic(self.topic)
        self._producer_epoch = self._broker.init_transactions(self._app, self.topic, self._instance)
        self._journal_position = self._broker.end(self._journal_topic, self._instance)

    def journal(self, position: int) -> tuple[list[tuple[int, JournalRecord]], int]:
        """This instance's records from journal `position` on, and the oldest position kept."""
        with self._broker.lock:
            oldest = self._broker.beginning(self._journal_topic, self._instance)
            messages = self._broker.read(self._journal_topic, self._instance, position)
        return [(m.offset + 1, decode_record(m.value or b"")) for m in messages], oldest

    def reread(self, partition: int, start: int, stop: int) -> Slice:
        """The messages of `[start, stop)` again, outside the group.

        Raises:
            InputExpiredError: Part of the range is no longer kept.
        """
        with self._broker.lock:
            oldest = self.beginning(partition)
            if start < min(stop, oldest):
                raise InputExpiredError(partition, start, stop, min(oldest, stop))
            messages = self._broker.read(self.topic, partition, start, stop)
        return Slice(partition, 0, start, stop, messages)

    def beginning(self, partition: int) -> int:
        """Oldest offset of the input that is still kept."""
        return self._broker.beginning(self.topic, partition)

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        return self._broker.committed(self._app, self.topic, partition)

    def join(self) -> None:
        """Enter the group, in the place of an earlier process of this instance."""
        self._member = self._broker.join(self._app, self.topic, self._instance)

    def poll(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """At most `max_messages` of the partitions held, in equal shares.

        Raises:
            FencedError: A newer process of this instance has joined the group.
        """
        with self._broker.lock:
            self._rejoin_if_expelled()
            self._broker.wait_for(self._anything_to_take, timeout_s)
            waiting = self.lag()
            self._turn += 1
            shares = equal_shares(waiting, max_messages, turn=self._turn)
            taken = [self._take(p, share) for p, share in sorted(shares.items())]
        return [piece for piece in taken if piece.start < piece.stop or piece.missed]

    def assignment(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation."""
        if self._member is None:
            return {}
        return self._broker.assignment(self._member)

    def commit(self, transaction: Transaction) -> Receipt:
        """Write all of it, or of the partitions still held all of it.

        1. Drop the ranges that are not ours any more: someone else processes those messages.
        2. Send the rest. If the answer is lost:
        3. fence our own old attempts, so that the journal is final, and
        4. read the outcome there; if it did not land, begin again at 1.

        Raises:
            FencedError: Another process has taken this instance's place.
        """
        while True:
            with self._broker.lock:
                rest = self._still_held(transaction)
                if transaction.parts and not rest.parts:
                    return Receipt(frozenset(), self._journal_position)
                try:
                    self._broker.write(
                        self._app, self.topic, self._instance, self._producer_epoch, rest
                    )
                    for partition, part in returned(transaction, rest).items():
                        self._positions[partition] = (part.incarnation, part.range.stop)
                    return self._receipt(rest.journal)
                except OutcomeUnknownError:
                    pass
            self._producer_epoch = self._broker.init_transactions(
                self._app, self.topic, self._instance, self._producer_epoch
            )
            landed = self._landed(transaction.journal.seq)
            if landed is not None:
                return self._receipt(landed)

    def lag(self) -> Mapping[int, int]:
        """Messages not yet taken, per partition held."""
        with self._broker.lock:
            return {
                p: self._broker.count(self.topic, p, self._position(p, incarnation))
                for p, incarnation in self.assignment().items()
            }

    def exhausted(self) -> bool:
        """A stream has no end."""
        return False

    def release_journal(self, position: int) -> None:
        """Journal records before `position` may be deleted."""
        self._broker.expire(self._journal_topic, self._instance, position)

    def close(self) -> None:
        """Leave the group at once; positions stand."""
        if self._member is not None:
            self._broker.leave(self._member)
            self._member = None

    @property
    def _journal_topic(self) -> str:
        return f"{self._app}.journal"

    def _rejoin_if_expelled(self) -> None:
        if self._member is not None and self._broker.is_expelled(self._member):
            self._lost |= {(p, incarnation) for p, (incarnation, _) in self._positions.items()}
            self.join()

    def _anything_to_take(self) -> bool:
        held = self.assignment()
        return any(self.lag().values()) or any(
            self._position(p, i) < self.beginning(p) for p, i in held.items()
        )

    def _position(self, partition: int, incarnation: int) -> int:
        known, position = self._positions.get(partition, (0, 0))
        if known == incarnation:
            return position
        committed = self.committed(partition)
        if committed is None:
            earliest = self._start == "earliest"
            committed = (self._broker.beginning if earliest else self._broker.end)(
                self.topic, partition
            )
        self._positions[partition] = (incarnation, committed)
        return committed

    def _take(self, partition: int, share: int) -> Slice:
        incarnation = self.assignment()[partition]
        position = self._position(partition, incarnation)
        start = max(position, self.beginning(partition))
        messages = self._broker.read(self.topic, partition, start, limit=share)
        stop = messages[-1].offset + 1 if messages else start
        self._positions[partition] = (incarnation, stop)
        missed = (position, start) if position < start else None
        return Slice(partition, incarnation, start, stop, messages, missed)

    def _still_held(self, transaction: Transaction) -> Transaction:
        self._rejoin_if_expelled()
        return still_held(transaction, self.assignment(), self._lost, self.committed)

    def _landed(self, seq: int) -> JournalRecord | None:
        records, _ = self.journal(self._journal_position)
        return next((record for _, record in records if record.seq == seq), None)

    def _receipt(self, record: JournalRecord) -> Receipt:
        self._journal_position = self._broker.end(self._journal_topic, self._instance)
        return Receipt(frozenset(record.ranges), self._journal_position)
