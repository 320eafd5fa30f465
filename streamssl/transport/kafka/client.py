"""Plain clients for demo, benchmarks and tests: only this package knows kafka-python."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, Self

from kafka import KafkaProducer, TopicPartition

from streamssl.config.sections import KafkaConfig
from streamssl.events import Headers, Message
from streamssl.transport.kafka.reader import open_consumer
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.stash import to_message
from streamssl.transport.kafka.topics import RECORD_BYTES, Admin


def create_topic(
    kafka: KafkaConfig, topic: str, num_partitions: int, settings: Mapping[str, str] | None = None
) -> None:
    """Make a topic, and wait until it can be used."""
    admin = Admin(client_settings(kafka))
    try:
        admin.create(topic, num_partitions, settings or {})
    finally:
        admin.close()


class TopicWriter:
    """A producer without transactions, such as the source of a stream has.

    Args:
        kafka: How to reach the broker.
        linger_ms: How long a record waits for others.
    """

    def __init__(self, kafka: KafkaConfig, *, linger_ms: int = 5) -> None:
        self._producer = KafkaProducer(
            **client_settings(kafka),
            linger_ms=linger_ms,
            max_request_size=RECORD_BYTES,
            enable_idempotence=True,
            metrics_enabled=False,
        )

    def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> None:
        """Hand over one record; `flush` makes sure of it."""
        self._producer.send(
            topic,
            value=value,
            key=key,
            partition=partition,
            timestamp_ms=timestamp_ms,
            headers=list(headers),
        )

    def flush(self, timeout_s: float = 30.0) -> None:
        """Return when everything handed over is acknowledged."""
        self._producer.flush(timeout=timeout_s)

    def close(self) -> None:
        """Free the connection."""
        self._producer.close(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class TopicReader:
    """An independent reader of all partitions of a topic, as a subscriber would be.

    Args:
        kafka: How to reach the broker.
        topic: What is read.
        start: Where to begin.
        isolation_level: `read_committed` sees only what has landed.
    """

    def __init__(
        self,
        kafka: KafkaConfig,
        topic: str,
        *,
        start: Literal["earliest", "latest"] = "earliest",
        isolation_level: Literal["read_committed", "read_uncommitted"] = "read_committed",
    ) -> None:
        self._settings = client_settings(kafka)
        self._consumer = open_consumer(self._settings, isolation_level)
        partitions = self._consumer.partitions_for_topic(topic)
        self._tps = [TopicPartition(topic, p) for p in sorted(partitions)]
        self._consumer.assign(self._tps)
        known = self._consumer.beginning_offsets(self._tps)
        if start == "latest":
            known = self._consumer.end_offsets(self._tps)
        for tp in self._tps:
            self._consumer.seek(tp, known[tp])

    def poll(self, timeout_s: float, max_messages: int = 5_000) -> list[Message]:
        """What has come, in offset order per partition; empty where nothing came in time."""
        found = self._consumer.poll(timeout_ms=int(timeout_s * 1_000), max_records=max_messages)
        return [to_message(record) for records in found.values() for record in records]

    def read_to_end(self, timeout_s: float = 30.0) -> list[Message]:
        """Everything up to what is written now; waits for open transactions to end.

        Raises:
            TimeoutError: The end was not reached; an open transaction hides what follows it.
        """
        admin = Admin(self._settings)
        ends = {tp: admin.uncommitted_end(tp) for tp in self._tps}
        admin.close()
        deadline = time.monotonic() + timeout_s
        messages: list[Message] = []
        while any(self._consumer.position(tp) < end for tp, end in ends.items()):
            messages += self.poll(0.1)
            if time.monotonic() > deadline:
                raise TimeoutError(f"the end of {self._tps[0].topic} was not reached: {ends}")
        return messages

    def close(self) -> None:
        """Free the connection."""
        self._consumer.close(autocommit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
