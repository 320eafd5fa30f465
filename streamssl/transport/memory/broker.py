"""The broker inside the process: logs, groups and transactions.

Everything happens under one lock, so what a transaction writes is seen all at once.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping

from streamssl.data.events import Headers, Message
from streamssl.transport.base import FencedError, Transaction
from streamssl.transport.memory.group import Group, Member
from streamssl.transport.memory.log import Log


class OutcomeUnknownError(Exception):
    """The answer to a commit was lost: it may have landed or not."""


class MemoryBroker:
    """Topics, groups and transactions, for any number of threads.

    Args:
        num_partitions: Partitions of every input topic.
        clock: Gives the seconds since 1970 that records are stamped with.
    """

    def __init__(self, *, num_partitions: int = 1, clock: Callable[[], float] = time.time) -> None:
        self.num_partitions = num_partitions
        self.lock = threading.Condition(threading.RLock())
        self._clock = clock
        self._logs: dict[tuple[str, int], Log] = defaultdict(Log)
        self._groups: dict[tuple[str, str], Group] = defaultdict(Group)

    # What producers and readers use.

    def create_topic(self, topic: str) -> None:
        """Have an input topic, with its partitions, where there is none."""
        with self.lock:
            for partition in range(self.num_partitions):
                _ = self._logs[topic, partition]

    def produce(
        self,
        topic: str,
        partition: int,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Headers = (),
    ) -> int:
        """Append one record and return its offset."""
        with self.lock:
            log = self._logs[topic, partition]
            stamp = int(self._clock() * 1_000)
            log.append(Message(partition, log.end, key, value, stamp, headers))
            self.lock.notify_all()
            return log.end - 1

    def read(
        self,
        topic: str,
        partition: int,
        start: int = 0,
        stop: int | None = None,
        *,
        limit: int | None = None,
    ) -> list[Message]:
        """Committed records of `[start, stop)` that are still kept, at most `limit`."""
        with self.lock:
            log = self._logs[topic, partition]
            return log.messages[log.span(start, stop)][:limit]

    def records(self, topic: str) -> list[Message]:
        """All committed records of a topic, by partition and offset."""
        with self.lock:
            partitions = sorted(p for name, p in self._logs if name == topic)
            return [m for p in partitions for m in self._logs[topic, p].messages]

    def beginning(self, topic: str, partition: int) -> int:
        """Oldest offset of a partition that is still kept."""
        with self.lock:
            return self._logs[topic, partition].beginning

    def end(self, topic: str, partition: int) -> int:
        """Offset that the next record gets."""
        with self.lock:
            return self._logs[topic, partition].end

    def count(self, topic: str, partition: int, start: int) -> int:
        """Records kept from `start` on."""
        with self.lock:
            log = self._logs[topic, partition]
            return len(log.offsets) - (log.span(start).start or 0)

    def wait_for(self, predicate: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the predicate holds; tested whenever something changes."""
        with self.lock:
            return self.lock.wait_for(predicate, timeout_s)

    # What happens to logs and groups by itself.

    def expire(self, topic: str, partition: int, before: int) -> None:
        """Forget records before an offset, as retention does."""
        with self.lock:
            self._logs[topic, partition].expire(before)
            self.lock.notify_all()

    def expel(self, app: str, topic: str, instance: int) -> None:
        """Remove a member that fell silent, as the session time-out does."""
        with self.lock:
            self._groups[app, topic].members.pop(instance, None)
            self._rebalance(app, topic)

    # What transports use.

    def init_transactions(
        self, app: str, topic: str, instance: int, held_epoch: int | None = None
    ) -> int:
        """Fence earlier producers of an instance and return the new producer epoch.

        `held_epoch` is the caller's own epoch, when it settles an unknown outcome.

        Raises:
            FencedError: Another process has taken the instance since `held_epoch`.
        """
        with self.lock:
            epochs = self._groups[app, topic].producer_epochs
            if held_epoch is not None:
                self._check_epoch(app, topic, instance, held_epoch)
            epochs[instance] = epochs.get(instance, 0) + 1
            return epochs[instance]

    def join(self, app: str, topic: str, instance: int) -> Member:
        """Enter the group; a member of the same instance is replaced."""
        with self.lock:
            member = Member(app, topic, instance)
            group = self._groups[app, topic]
            group.members[instance] = member
            for partition in [p for p, owner in group.owners.items() if owner == instance]:
                group.assign(partition, instance)
            self._rebalance(app, topic)
            return member

    def leave(self, member: Member) -> None:
        """Leave the group at once, unless already replaced."""
        with self.lock:
            if self._groups[member.app, member.topic].members.get(member.instance) is member:
                self.expel(member.app, member.topic, member.instance)

    def is_expelled(self, member: Member) -> bool:
        """True after a session time-out: the member must join again."""
        with self.lock:
            return member.instance not in self._groups[member.app, member.topic].members

    def assignment(self, member: Member) -> Mapping[int, int]:
        """Partitions that the member holds, each with its incarnation.

        Raises:
            FencedError: A newer process of this instance has joined.
        """
        with self.lock:
            group = self._groups[member.app, member.topic]
            if group.members.get(member.instance, member) is not member:
                raise FencedError(_fenced(member.app, member.instance))
            owned = sorted(p for p, i in group.owners.items() if i == member.instance)
            return {p: group.incarnations[p] for p in owned}

    def committed(self, app: str, topic: str, partition: int) -> int | None:
        """The group's position, None if it never committed."""
        with self.lock:
            return self._groups[app, topic].committed.get(partition)

    def write(
        self, app: str, topic: str, instance: int, producer_epoch: int, transaction: Transaction
    ) -> None:
        """Land one transaction: all of it or nothing.

        Raises:
            FencedError: The producer epoch is not the newest of the instance.
            OutcomeUnknownError: The answer was lost; never so inside one process, but a broker
                that stands for another may lose it.
        """
        with self.lock:
            self._check_epoch(app, topic, instance, producer_epoch)
            self._land(app, topic, instance, transaction)

    def _land(self, app: str, topic: str, instance: int, transaction: Transaction) -> None:
        for partition, records in transaction.by_partition():
            for record in records:
                name, value = f"{app}.{record.topic}", record.value
                self.produce(name, partition, value, key=record.key, headers=record.headers)
        stops = {p: part.range.stop for p, part in transaction.parts.items()}
        self._groups[app, topic].committed |= stops
        self.produce(f"{app}.journal", instance, transaction.journal.encode())

    def _check_epoch(self, app: str, topic: str, instance: int, epoch: int) -> None:
        if self._groups[app, topic].producer_epochs.get(instance) != epoch:
            raise FencedError(_fenced(app, instance))

    def _rebalance(self, app: str, topic: str) -> None:
        self._groups[app, topic].rebalance(self.num_partitions)
        self.lock.notify_all()


def _fenced(app: str, instance: int) -> str:
    return (
        f"another process runs as instance {instance} of {app}: this one ends; "
        "give every worker its own app.instance"
    )
