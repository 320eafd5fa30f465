"""librdkafka's consumer as a member of the group."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from confluent_kafka import OFFSET_STORED, KafkaError, TopicPartition
from confluent_kafka import Consumer as Client
from confluent_kafka import Message as Record
from kafka import errors

from streamssl.config.sections import KafkaConfig
from streamssl.data.events import Message
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.clients.base import Membership
from streamssl.transport.kafka.clients.librdkafka.errors import translated, translating
from streamssl.transport.kafka.clients.librdkafka.members import generation_and_member
from streamssl.transport.kafka.clients.librdkafka.settings import LOGGER, consumer_settings
from streamssl.transport.kafka.clients.librdkafka.trouble import Troubles
from streamssl.transport.kafka.patience import bounded

# A poll that waits for nothing would spin where the caller looks for more.
LEAST_POLL_S = 0.001
# Partitions without a position are told one by one; begun one by one, the first would be read
# before the others are fetched.
TOGETHER_S = 0.02
# Beyond the time-out of a `close`: then it has hung, and holds the interpreter's lock.
LAST_RESORT_S = 5.0
STDERR_FD = 2


class RdConsumer:
    """A static member of the group on librdkafka.

    Its own thread keeps the membership alive; rebalance callbacks run inside `poll`.

    Args:
        kafka: How to reach the broker.
        topic: Input topic.
        group: Consumer group.
        member: Static name of this member.
        assignments: Told what is held.
    """

    def __init__(
        self, kafka: KafkaConfig, *, topic: str, group: str, member: str, assignments: Assignments
    ) -> None:
        self._topic = topic
        self._timeout_s = kafka.request_timeout_ms / 1_000
        self._commit_s = self._timeout_s + kafka.session_timeout_ms / 1_000
        self._assignments = assignments
        self._troubles = Troubles(position=self.position, committed=self.committed)
        self._settled = False
        self._next: dict[int, int] = {}
        self._aims: dict[int, int] = {}
        settings = consumer_settings(kafka, group=group, member=member)
        settings["error_cb"] = self._troubles.note_error
        with translating():
            self._client = Client(settings, logger=LOGGER)

    def join(self) -> None:
        """Enter the group; the first polls take part in its rebalance."""
        with translating():
            self._client.subscribe(
                [self._topic], on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose
            )

    def poll(self, timeout_s: float, max_messages: int) -> Mapping[int, list[Message]]:
        """What came, in offset order per partition.

        A `consume` of many waits until it has all of them, or its whole time-out: one is waited
        for, and the others are taken as far as they are there.
        """
        self._troubles.tell()
        with translating():
            self._aim()
            records = self._client.consume(1, max(LEAST_POLL_S, timeout_s))
            if records and max_messages > 1:
                held = self._assignments.held()
                more = self._client.consume(max_messages - 1, _wait_s(records[0]))
                records = [*self._of_same_incarnation(records, held), *more]
        found = self._sorted(records)
        if not found:
            self._troubles.tell()
        return found

    def membership(self) -> Membership | None:
        """The place in the group, None while there is none."""
        with translating():
            metadata = self._client.consumer_group_metadata()
        generation, member_id = generation_and_member(metadata)
        if generation < 1 or not member_id:
            return None
        return Membership(member_id, self._settled, metadata)

    def is_stable(self) -> bool:
        """Whether what the group gave last is held."""
        return self._settled

    def member_id(self) -> str:
        """The id that the group gave this process; empty while it is not a member."""
        with translating():
            return generation_and_member(self._client.consumer_group_metadata())[1]

    def committed(self, partition: int) -> int | None:
        """The group's committed position, None if it never committed."""
        with translating():
            (found,) = self._client.committed([self._tp(partition)], self._timeout_s)
        _check([found])
        return _known(found.offset)

    def oldest(self, partitions: Iterable[int]) -> dict[int, int]:
        """Oldest position kept, by partition."""
        return {p: self._ends(p, self._timeout_s)[0] for p in partitions}

    def newest(self, partitions: Iterable[int], timeout_s: float | None = None) -> dict[int, int]:
        """Position after everything committed, by partition."""
        limit_s = self._timeout_s if timeout_s is None else timeout_s
        return {p: self._ends(p, limit_s)[1] for p in partitions}

    def known_end(self, partition: int) -> int | None:
        """Position after everything written, as far as it was told."""
        with translating():
            found = self._client.get_watermark_offsets(self._tp(partition), cached=True)
        return _known(found[1])

    def position(self, partition: int) -> int | None:
        """Position after everything that `poll` gave, None before it has begun.

        The library's own says nothing of a partition that is empty.
        """
        return self._next.get(partition)

    def seek(self, partition: int, position: int) -> None:
        """Go on there in a partition that is held."""
        if partition in self._assignments.held():
            self._troubles.forget(partition)
            self._next[partition] = self._aims[partition] = position

    def commit(self, positions: Mapping[int, int]) -> None:
        """Commit positions outside any transaction; the library's own call has no time-out."""
        offsets = [TopicPartition(self._topic, p, at) for p, at in positions.items()]
        with translating():
            commit: Any = partial(self._client.commit, offsets=offsets, asynchronous=False)
            _check(bounded(commit, self._commit_s, _nothing) or [])

    def close(self, timeout_s: float) -> None:
        """Stop; a static member does not leave the group by this."""
        with translating():
            bounded(partial(self._close, timeout_s), timeout_s, _nothing)

    def _close(self, timeout_s: float) -> None:
        # An assignment that nobody looked at makes the library's `close` hang for good.
        self._client.consume(1, LEAST_POLL_S)
        with _or_exit(timeout_s + LAST_RESORT_S):
            self._client.close()

    def _sorted(self, records: Iterable[Any]) -> Mapping[int, list[Message]]:
        """The messages by partition; what came instead of one is noted.

        Nothing of a partition passes a record that could not be read.
        """
        found: dict[int, list[Message]] = {}
        ends: dict[int, int] = {}
        closed: set[int] = set()
        for record in records:
            error = record.error()
            if error is None:
                message = to_message(record)
                if message.partition not in closed:
                    found.setdefault(message.partition, []).append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                ends[record.partition()] = record.offset()
            else:
                self._troubles.note(record)
                closed.add(record.partition())
        self._next |= {p: messages[-1].offset + 1 for p, messages in found.items()} | ends
        return found

    def _of_same_incarnation(
        self, records: list[Record], before: Mapping[int, int]
    ) -> list[Record]:
        """Those whose partitions did not leave while the others were taken."""
        now = self._assignments.held()
        if now is before:
            return records
        same = {p for p, incarnation in before.items() if now.get(p) == incarnation}
        return [record for record in records if record.partition() in same]

    def _ends(self, partition: int, timeout_s: float) -> tuple[int, int]:
        with translating():
            found = self._client.get_watermark_offsets(self._tp(partition), timeout_s)
        if found is None:
            raise errors.KafkaTimeoutError("the ends of a partition could not be had in time")
        return found

    def _aim(self) -> None:
        """Fetch from where `seek` said, all at once; the library drops what it fetched before."""
        told = self._troubles.take_told().items()
        again = {p: OFFSET_STORED if position is None else position for p, position in told}
        aims, self._aims = again | self._aims, {}
        if aims:
            self._client.incremental_unassign([self._tp(p) for p in aims])
            self._client.incremental_assign(
                [TopicPartition(self._topic, p, position) for p, position in aims.items()]
            )

    def _assign(self, client: Client, given: list[TopicPartition]) -> None:
        client.incremental_assign(given)
        self._assignments.assign(tp.partition for tp in given)
        self._settled = True

    def _revoke(self, client: Client, taken: list[TopicPartition]) -> None:
        self._end(client, taken, self._assignments.revoke)

    def _lose(self, client: Client, lost: list[TopicPartition]) -> None:
        self._settled = False
        self._end(client, lost, self._assignments.lose)

    def _end(
        self,
        client: Client,
        ended: list[TopicPartition],
        note: Callable[[Iterable[int]], None],
    ) -> None:
        partitions = [tp.partition for tp in ended]
        note(partitions)
        for partition in partitions:
            self._next.pop(partition, None)
            self._aims.pop(partition, None)
            self._troubles.forget(partition)
        client.incremental_unassign(ended)

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)


def to_message(record: Any) -> Message:
    """A record of librdkafka as this package's `Message`."""
    return Message(
        record.partition(),
        record.offset(),
        record.key(),
        record.value(),
        record.timestamp()[1],
        tuple(record.headers() or ()),
    )


def _wait_s(first: Any) -> float:
    error = first.error()
    is_stuck = error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET
    return TOGETHER_S if is_stuck else 0.0


def _known(offset: int) -> int | None:
    return None if offset < 0 else offset


def _check(answers: Iterable[TopicPartition]) -> None:
    for answer in answers:
        if answer.error is not None:
            raise translated(answer.error)


@contextmanager
def _or_exit(limit_s: float) -> Iterator[None]:
    """End the process where the block does not end: the journal holds all that it did."""
    faulthandler.dump_traceback_later(limit_s, exit=True, file=STDERR_FD)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _nothing() -> None:
    """Nothing has to turn meanwhile."""
