"""A stream on a real Kafka for one test: its topics, processes of its daemon, what it published."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, ClassVar, Literal

import pytest
from kafka import errors

from streamssl.config.root import Config
from streamssl.config.sections import (
    AppConfig,
    DeliveryConfig,
    InputConfig,
    KafkaConfig,
    OutputsConfig,
)
from streamssl.data.events import OutputRecord, Range, Slice
from streamssl.devkit.clients import TopicReader, TopicWriter, create_topic
from streamssl.transport.base import PartitionOutput, Receipt, Transaction
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka import KafkaTransport
from streamssl.transport.kafka import connection as connection_module
from streamssl.transport.kafka.producer import Producer, ProducerOptions
from streamssl.transport.kafka.producer_record import ProducerRecord, SendOutcome
from streamssl.transport.kafka.security import Settings


class Stream:
    """Input topic, application and settings of one test."""

    def __init__(
        self,
        bootstrap_servers: str,
        name: Callable[[str], str],
        *,
        num_partitions: int = 4,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.kafka = KafkaConfig(bootstrap_servers=bootstrap_servers, **(settings or {}))
        self.topic, self.app = name("events"), name("app")
        self.num_partitions = num_partitions
        create_topic(self.kafka, self.topic, num_partitions)

    def produce(self, numbers: Iterable[int]) -> None:
        """One message per number, spread over the partitions."""
        with TopicWriter(self.kafka, self.topic) as writer:
            for number in numbers:
                partition = number % self.num_partitions
                writer.send(str(number).encode(), partition=partition)
            writer.flush()

    def transport(
        self,
        instance: int = 0,
        *,
        mode: Literal["exactly_once", "at_least_once"] = "exactly_once",
        start: Literal["earliest", "latest"] = "earliest",
        stopping: Callable[[], bool] = lambda: False,
        outputs: OutputsConfig | None = None,
    ) -> KafkaTransport:
        """A process of an instance, not yet opened."""
        config = Config(
            app=AppConfig(name=self.app, instance=instance),
            kafka=self.kafka,
            delivery=DeliveryConfig(mode=mode),
            input=InputConfig(topic=self.topic, start=start),
            outputs=outputs or OutputsConfig(journal_partitions=3),
        )
        return KafkaTransport(config, stopping=stopping)

    @contextmanager
    def joined(self, instance: int = 0, **settings: Any) -> Iterator[KafkaTransport]:
        """A process that polls, closed at the end."""
        with self.opened(instance, **settings) as transport:
            transport.join()
            yield transport

    @contextmanager
    def opened(self, instance: int = 0, **settings: Any) -> Iterator[KafkaTransport]:
        """A process that has not joined, closed at the end."""
        transport = self.transport(instance, **settings)
        transport.open()
        try:
            yield transport
        finally:
            transport.close()

    def published(self, timeout_s: float = 30.0) -> Counter[int]:
        """How often a subscriber of committed results sees each number."""
        with TopicReader(self.kafka, f"{self.app}.scores") as reader:
            return Counter(int(m.value or b"") for m in reader.read_to_end(timeout_s))


class Worker:
    """What an engine does, without learning: poll, publish each number, commit."""

    def __init__(self, transport: KafkaTransport, instance: int = 0) -> None:
        self.transport = transport
        self.instance = instance
        self.seq = 1
        self.next: dict[tuple[int, int], int] = {}

    def step(self, max_messages: int = 100, timeout_s: float = 0.2) -> int:
        """One transaction of what one poll gave; messages that landed."""
        slices = self.transport.poll(max_messages, timeout_s)
        if not slices:
            return 0
        receipt = self.commit(slices)
        return sum(len(s.payload) for s in slices if s.partition in receipt.kept)

    def commit(self, slices: list[Slice]) -> Receipt:
        """Publish each message's number; slices of an incarnation must join without gap."""
        for piece in slices:
            expected = self.next.get((piece.partition, piece.incarnation), piece.start)
            assert expected == piece.start, f"a gap before {piece}"
            self.next[piece.partition, piece.incarnation] = piece.stop
        receipt = self.transport.commit(as_transaction(slices, self.seq, self.instance))
        self.seq += bool(receipt.kept)
        return receipt

    def run(self, num_messages: int, *, limit_s: float = 30.0, max_messages: int = 100) -> None:
        """Steps until so many messages have landed."""
        landed, deadline = 0, time.monotonic() + limit_s
        while landed < num_messages:
            assert time.monotonic() < deadline, f"only {landed} of {num_messages} landed"
            landed += self.step(max_messages)


def numbers(piece: Slice) -> list[int]:
    """What was produced, read back."""
    assert isinstance(piece.payload, list)
    return [int(message.value or b"") for message in piece.payload]


def as_transaction(slices: list[Slice], seq: int, instance: int = 0) -> Transaction:
    """Each message published as it came."""
    parts, ranges = {}, {}
    for piece in slices:
        assert isinstance(piece.payload, list)
        messages = piece.payload
        taken = Range(piece.partition, piece.start, piece.stop, len(messages), 0)
        records = [OutputRecord("scores", m.key, m.value) for m in messages]
        parts[piece.partition] = PartitionOutput(taken, piece.incarnation, records)
        ranges[piece.partition] = (taken.start, taken.stop, taken.num_messages, 0)
    return Transaction(JournalRecord(instance=instance, seq=seq, epoch=1, ranges=ranges), parts)


class RawName(str):
    """A header's name whose bytes are no text."""

    __slots__ = ("raw",)
    raw: bytes

    def __new__(cls, raw: bytes) -> RawName:
        name = super().__new__(cls, "raw")
        name.raw = raw
        return name

    def encode(self, *_: str) -> bytes:
        """The bytes as they are."""
        return self.raw


class WrappedProducer:
    """A producer, for a test to change what it does."""

    def __init__(self, inner: Producer) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class FaultyProducer(WrappedProducer):
    """A producer that goes wrong once for each fault in `faults`, oldest first.

    Faults: `before` (the commit is never sent), `after` (it lands, its answer is lost), `late`
    (it is sent after the caller gave up), `expired` (one send fails, unseen by the commit),
    `none` (this transaction is spared).
    """

    faults: ClassVar[list[str]] = []

    def send(self, records: Sequence[ProducerRecord], timeout_s: float) -> list[SendOutcome]:
        if self.faults[:1] != ["expired"]:
            return self.inner.send(records, timeout_s)
        self.faults.pop(0)
        expired = errors.KafkaTimeoutError("expired in a test")
        return [expired, *self.inner.send(records[1:], timeout_s)]

    def commit_transaction(self) -> None:
        fault = self.faults.pop(0) if self.faults else "none"
        if fault == "before":
            raise errors.KafkaTimeoutError("the request was lost in a test")
        if fault == "late":
            _later(0.15, self.inner.commit_transaction)
            raise errors.KafkaTimeoutError("the request was late in a test")
        self.inner.commit_transaction()
        if fault == "after":
            raise errors.KafkaTimeoutError("the answer was lost in a test")


def wrap_producers(monkeypatch: pytest.MonkeyPatch, wrapper: Callable[[Producer], Any]) -> None:
    """From now on transports write with wrapped producers."""

    def wrapped(settings: Settings, options: ProducerOptions) -> Any:
        return wrapper(Producer(settings, options))

    monkeypatch.setattr(connection_module, "Producer", wrapped)


def _later(seconds: float, call: Callable[[], None]) -> None:
    """Call it on another thread, whatever becomes of it."""

    def late() -> None:
        time.sleep(seconds)
        with suppress(errors.KafkaError):
            call()

    threading.Thread(target=late, daemon=True).start()
