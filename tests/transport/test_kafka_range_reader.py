"""Reading ranges and choosing a beginning, on a consumer in memory: no broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from kafka import TopicPartition, errors

from streamssl.transport.base import InputExpiredError
from streamssl.transport.kafka import range_reader
from streamssl.transport.kafka.cursors import PartitionCursors
from streamssl.transport.kafka.range_reader import RangeReader
from streamssl.transport.kafka.retry import RetryPolicy

ROUND = 4  # messages of one partition that one poll gives


@dataclass
class Record:
    partition: int
    offset: int
    value: bytes
    key: bytes | None = None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class MemoryConsumer:
    """Partitions of equal messages `[0, num_messages)`, of which a poll gives `ROUND` each."""

    def __init__(self, *, num_messages: int, num_bytes: int = 1) -> None:
        self.value = bytes(num_bytes)
        self.stable = self.num_messages = num_messages
        self.oldest: dict[TopicPartition, int] = {}
        self.positions: dict[TopicPartition, int] = {}
        self.committed_at: dict[TopicPartition, int] = {}
        self.num_polls = 0

    def assign(self, tps: Iterable[TopicPartition]) -> None:
        self.positions = {tp: self.positions.get(tp, 0) for tp in tps}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    def position(self, tp: TopicPartition, **_: object) -> int:
        return self.positions[tp]

    def beginning_offsets(
        self, tps: list[TopicPartition], **_: object
    ) -> dict[TopicPartition, int]:
        return {tp: self.oldest.get(tp, 0) for tp in tps}

    def end_offsets(self, tps: list[TopicPartition], **_: object) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, self.stable)

    def committed(self, tp: TopicPartition, **_: object) -> int | None:
        return self.committed_at.get(tp)

    def poll(self, **_: object) -> dict[TopicPartition, list[Record]]:
        self.num_polls += 1
        gone = {tp: at for tp, at in self.positions.items() if at < self.oldest.get(tp, 0)}
        if gone:
            raise errors.OffsetOutOfRangeError(gone)
        found = {}
        for tp, at in self.positions.items():
            stop = min(at + ROUND, self.stable)
            found[tp] = [Record(tp.partition, offset, self.value) for offset in range(at, stop)]
            self.positions[tp] = max(at, stop)
        return {tp: records for tp, records in found.items() if records}


def new_reader(consumer: MemoryConsumer) -> RangeReader:
    return RangeReader(
        consumer,
        topic="t",
        retry_policy=RetryPolicy(lambda: False),
        end=lambda _: consumer.num_messages,
    )


def test_large_messages_are_not_read_far_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for later reads is bounded in bytes, whatever the size of a message."""
    monkeypatch.setattr(range_reader, "AHEAD_BYTES", 100_000)
    consumer = MemoryConsumer(num_messages=400, num_bytes=10_000)
    reader, most = new_reader(consumer), 0
    for start in range(0, 400, 10):
        for partition in range(3):
            messages = reader.read(partition, start, start + 10)
            assert [m.offset for m in messages] == list(range(start, start + 10))
            most = max(most, reader._queues.num_bytes)
    one_round = 3 * ROUND * 10_000
    assert most <= 100_000 + one_round
    assert consumer.num_polls < 2 * 400 * 3 / ROUND  # little is fetched twice


def test_a_range_that_an_open_transaction_hides_is_waited_for() -> None:
    """It is written, only not yet readable: nothing has expired."""
    consumer = MemoryConsumer(num_messages=20)
    consumer.stable = 12
    reader, turns = new_reader(consumer), []

    def meanwhile() -> None:
        turns.append(1)
        if len(turns) == 10:
            consumer.stable = 20

    assert len(reader.read(0, 0, 20, meanwhile)) == 20
    assert len(turns) >= 10


def test_a_range_beyond_everything_written_is_told() -> None:
    """A topic that was made anew will not give it, however long one waits."""
    reader = new_reader(MemoryConsumer(num_messages=20))
    with pytest.raises(InputExpiredError):
        reader.read(0, 10, 30)


def test_a_second_read_is_judged_by_its_own_start() -> None:
    """What an earlier read of the partition left behind does not make a later range expired."""
    consumer = MemoryConsumer(num_messages=100)
    reader, tp = new_reader(consumer), TopicPartition("t", 0)
    reader.read(0, 0, 10)
    consumer.oldest[tp] = 50
    assert [m.offset for m in reader.read(0, 60, 64)] == [60, 61, 62, 63]
    with pytest.raises(InputExpiredError, match="oldest kept offset is 44"):
        reader.read(0, 40, 44)


def test_another_partition_that_expires_does_not_stop_a_read() -> None:
    """It was only read ahead: its own next read begins anew."""
    consumer = MemoryConsumer(num_messages=1_000)
    reader = new_reader(consumer)
    reader.read(1, 0, 2)
    reader.read(0, 0, 2)
    consumer.oldest[TopicPartition("t", 1)] = 500
    assert len(reader.read(0, 2, 40)) == 38
    assert [m.offset for m in reader.read(1, 500, 502)] == [500, 501]


class Member:
    """Partitions that all end at the same position, as a group's consumer sees them."""

    def __init__(self, end: int) -> None:
        self.end = end
        self.positions: dict[int, int] = {}

    def newest(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, self.end)

    def oldest(self, partitions: Iterable[int]) -> dict[int, int]:
        return dict.fromkeys(partitions, 3)

    def seek(self, partition: int, position: int) -> None:
        self.positions[partition] = position


class Commits:
    """Remembers commits; refuses them while told to."""

    def __init__(self) -> None:
        self.seen: list[Mapping[int, int]] = []
        self.refusing = False

    def __call__(self, positions: Mapping[int, int]) -> None:
        if self.refusing:
            raise errors.CommitFailedError("a rebalance")
        self.seen.append(dict(positions))


def test_a_beginning_is_committed_before_it_is_used() -> None:
    """Refused, it is chosen anew; what is not held is left to others."""
    consumer, commit = Member(20), Commits()
    held: dict[int, int] = {0: 1, 1: 1}
    member: Any = consumer
    cursors = PartitionCursors(
        member, topic="t", at_end={0, 1, 2}, held=lambda: held, commit=commit
    )
    commit.refusing = True
    with pytest.raises(errors.CommitFailedError):
        cursors.begin({0, 1, 2})
    assert not consumer.positions
    commit.refusing, consumer.end = False, 25
    cursors.begin({0, 1, 2})
    assert commit.seen == [{0: 25, 1: 25}]
    assert consumer.positions == {0: 25, 1: 25}
    held[7] = 1
    cursors.begin({7})  # it has appeared since
    assert commit.seen.pop() == {7: 3}
    held.clear()
    cursors.begin({0, 1, 2})
    assert len(commit.seen) == 1
