"""One world per transport: where the contract's tests put input and look for output."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from streamssl.config.root import Config
from streamssl.config.sections import (
    AppConfig,
    InputConfig,
    KafkaConfig,
    OutputsConfig,
)
from streamssl.data.events import Message, OutputRecord, Range, Slice
from streamssl.transport.base import PartitionOutput, Transaction, Transport
from streamssl.transport.files import FileTransport
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka import KafkaTransport
from streamssl.transport.memory import MemoryTransport
from tests.transport.faulty_broker import FaultyBroker

POLL_S = 15.0


class World(Protocol):
    """A transport with input that a test controls and output that a test sees."""

    num_partitions: int

    def produce(self, partition: int, values: Sequence[int]) -> None:
        """Append one input per value."""

    def transport(self, instance: int = 0) -> Transport:
        """A process of an instance, not yet opened."""

    def published(self, partition: int) -> list[str]:
        """What a subscriber who reads only committed results sees."""

    def expire(self, partition: int, before: int) -> None:
        """Let the input before an offset expire."""


class MemoryWorld:
    """Topics of a broker in memory."""

    num_partitions = 2

    def __init__(self) -> None:
        self.broker = FaultyBroker(num_partitions=self.num_partitions)

    def produce(self, partition: int, values: Sequence[int]) -> None:
        for value in values:
            self.broker.produce("events", partition, str(value).encode())

    def transport(self, instance: int = 0) -> MemoryTransport:
        return MemoryTransport(self.broker, topic="events", app="app", instance=instance)

    def published(self, partition: int) -> list[str]:
        messages = self.broker.read("app.scores", partition)
        return [(message.value or b"").decode() for message in messages]

    def expire(self, partition: int, before: int) -> None:
        self.broker.expire("events", partition, before)


class FileWorld:
    """One CSV file with one column; its dead letters stand for what is published."""

    num_partitions = 1

    def __init__(self, folder: Path) -> None:
        self._input = folder / "input.csv"
        self._output = folder / "output.csv"
        self._input.write_text("value\n")

    def produce(self, partition: int, values: Sequence[int]) -> None:
        assert partition == 0
        with self._input.open("a") as file:
            file.writelines(f"{value}\n" for value in values)

    def transport(self, instance: int = 0) -> FileTransport:
        assert instance == 0
        return FileTransport(self._input, self._output)

    def published(self, partition: int) -> list[str]:
        assert partition == 0
        letters = self._output.with_name("output.dlq.jsonl")
        if not letters.exists():
            return []
        return [json.loads(line)["original"] for line in letters.read_text().splitlines()]

    def expire(self, partition: int, before: int) -> None:
        raise AssertionError(f"a file keeps all rows, {partition}/{before} too")


class KafkaWorld:
    """Topics of a real Kafka."""

    num_partitions = 2

    def __init__(self, bootstrap_servers: str, name: Callable[[str], str]) -> None:
        self._servers = bootstrap_servers
        self._kafka = KafkaConfig(bootstrap_servers=bootstrap_servers)
        self._topic, self._app = name("events"), name("app")
        self._admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
        self._admin.create_topics([NewTopic(self._topic, self.num_partitions, 1)])
        self._producer = KafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=0)
        # A created topic is not known at once; this waits until it is.
        assert len(self._producer.partitions_for(self._topic)) == self.num_partitions

    def produce(self, partition: int, values: Sequence[int]) -> None:
        for value in values:
            self._producer.send(self._topic, str(value).encode(), partition=partition)
        self._producer.flush()

    def transport(self, instance: int = 0) -> KafkaTransport:
        config = Config(
            app=AppConfig(name=self._app, instance=instance),
            kafka=self._kafka,
            input=InputConfig(topic=self._topic),
            outputs=OutputsConfig(replication_factor=1),
        )
        return KafkaTransport(config)

    def published(self, partition: int) -> list[str]:
        reader = KafkaConsumer(
            bootstrap_servers=self._servers,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        topic = TopicPartition(f"{self._app}.scores", partition)
        try:
            reader.assign([topic])
            end = reader.end_offsets([topic])[topic]
            return list(self._values(reader, topic, end))
        finally:
            reader.close()

    def _values(self, reader: KafkaConsumer, topic: TopicPartition, end: int) -> Iterator[str]:
        while reader.position(topic) < end:
            for record in reader.poll(timeout_ms=500).get(topic, []):
                yield record.value.decode()

    def expire(self, partition: int, before: int) -> None:
        self._admin.delete_records({TopicPartition(self._topic, partition): before})

    def close(self) -> None:
        self._producer.close()
        self._admin.close()


@contextmanager
def joined(transport: Transport) -> Iterator[Transport]:
    """A transport that polls, closed at the end."""
    transport.open()
    try:
        transport.join()
        yield transport
    finally:
        transport.close()


def take(transport: Transport, num_messages: int, *, timeout_s: float = POLL_S) -> list[Slice]:
    """Poll until so many messages came, or the time is over."""
    pieces: list[Slice] = []
    deadline = time.monotonic() + timeout_s
    while sum(map(count, pieces)) < num_messages and time.monotonic() < deadline:
        pieces += transport.poll(num_messages - sum(map(count, pieces)), 0.2)
    return pieces


def count(piece: Slice) -> int:
    """Messages (or rows) of a slice."""
    return len(piece.payload)


def values(piece: Slice) -> list[int]:
    """What was produced, read back from a slice."""
    if isinstance(piece.payload, pa.RecordBatch):
        return [int(cell) for cell in piece.payload.column("value").to_pylist()]
    return [int(message.value or b"") for message in piece.payload]


def transaction(pieces: Sequence[Slice], *, seq: int = 1, epoch: int = 1) -> Transaction:
    """A transaction that publishes each value of the slices, as `scored-<value>`."""
    parts = {}
    for partition in sorted({piece.partition for piece in pieces}):
        own = [piece for piece in pieces if piece.partition == partition]
        taken = Range(partition, own[0].start, own[-1].stop, sum(map(count, own)), seq)
        numbers = [value for piece in own for value in values(piece)]
        offsets = np.arange(taken.start, taken.start + len(numbers)).tolist()
        records = [_record(o, v) for o, v in zip(offsets, numbers, strict=True)]
        parts[partition] = PartitionOutput(taken, own[-1].incarnation, records)
    ranges = {
        p: (part.range.start, part.range.stop, part.range.num_messages, part.range.crc32c)
        for p, part in parts.items()
    }
    return Transaction(JournalRecord(instance=0, seq=seq, epoch=epoch, ranges=ranges), parts)


def for_subscribers(transport: Transport, transaction: Transaction) -> Transaction:
    """Files publish columns, so that what bytes they publish are dead letters."""
    if isinstance(transport, FileTransport):
        return transaction
    for part in transaction.parts.values():
        part.records[:] = [OutputRecord("scores", r.key, r.value) for r in part.records]
    return transaction


def _record(offset: int, value: int) -> OutputRecord:
    headers = (
        ("reason", b"none"),
        ("detail", b""),
        ("origin_offset", str(offset).encode()),
    )
    return OutputRecord("dlq", None, f"scored-{value}".encode(), headers)


def message_values(messages: Sequence[Message]) -> list[bytes | None]:
    """Values of messages."""
    return [message.value for message in messages]
