"""Plain clients beside the daemon: what puts events in, and what reads the results.

They take no part in the daemon's group or transactions; the demo and the tests use them to see
what any subscriber would see.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Self

from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from streamssl.config.sections import KafkaConfig
from streamssl.data.events import Message, StreamsslError
from streamssl.devkit.delivery import Acknowledged
from streamssl.transport.kafka.range_reader import open_consumer
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import RECORD_BYTES, Admin


class ProduceError(StreamsslError):
    """The broker did not take an event."""


def create_topic(kafka: KafkaConfig, topic: str, num_partitions: int) -> None:
    """Make a topic, and wait until it can be used."""
    admin = Admin(client_settings(kafka))
    try:
        admin.create(topic, num_partitions)
    finally:
        admin.close()


class TopicWriter:
    """A producer without transactions, such as the source of a stream has.

    Args:
        kafka: How to reach the broker.
        topic: Where records go.
        acknowledged: Called, on the client's own thread, for each record that was taken.
    """

    def __init__(
        self, kafka: KafkaConfig, topic: str, *, acknowledged: Acknowledged | None = None
    ) -> None:
        self._topic = topic
        self._acknowledged = acknowledged
        self._failed = threading.Event()
        self._reason = ""
        self._producer = KafkaProducer(
            **client_settings(kafka),
            linger_ms=5,
            max_request_size=RECORD_BYTES,
            enable_idempotence=True,
            metrics_enabled=False,
        )

    def send(
        self, value: bytes | None, *, key: bytes | None = None, partition: int | None = None
    ) -> None:
        """Hand over one record; it may still be under way on return.

        Raises:
            ProduceError: An earlier record was not taken.
        """
        self._check()
        try:
            future = self._producer.send(self._topic, value=value, key=key, partition=partition)
        except KafkaError as error:
            self._fail(error)
            self._check()
        future.add_callback(self._taken)
        future.add_errback(self._fail)

    def flush(self, timeout_s: float = 30.0) -> None:
        """Return when everything handed over is acknowledged.

        Raises:
            ProduceError: A record was not taken, or not in time.
        """
        try:
            self._producer.flush(timeout_s)
        except KafkaError as error:
            self._fail(error)
        self._check()

    def close(self) -> None:
        """Free the connection to the broker."""
        self._producer.close(timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _taken(self, metadata: Any) -> None:
        if self._acknowledged:
            self._acknowledged(metadata.partition, metadata.offset, metadata.timestamp / 1_000)

    def _fail(self, error: BaseException) -> None:
        self._reason = str(error) or type(error).__name__
        self._failed.set()

    def _check(self) -> None:
        if self._failed.is_set():
            raise ProduceError(f"an event could not be sent to {self._topic}: {self._reason}")


class TopicReader:
    """Reads topics from their beginning, committed records only, as any subscriber may.

    Args:
        kafka: How to reach the broker.
        topics: They must exist.
    """

    def __init__(self, kafka: KafkaConfig, *topics: str) -> None:
        self._settings = client_settings(kafka)
        self._consumer = open_consumer(self._settings)
        self._tps = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(self._consumer.partitions_for_topic(topic))
        ]
        self._consumer.assign(self._tps)
        for tp, offset in self._consumer.beginning_offsets(self._tps).items():
            self._consumer.seek(tp, offset)

    def poll(self, timeout_s: float) -> list[tuple[str, list[Message]]]:
        """What has come since: (topic, messages of one of its partitions in offset order)."""
        found = self._consumer.poll(timeout_ms=int(timeout_s * 1_000), max_records=10_000)
        return [(tp.topic, messages) for tp, messages in found.items()]

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
            messages += [message for _, run in self.poll(0.1) for message in run]
            if time.monotonic() > deadline:
                raise TimeoutError(f"not everything could be read in time: {ends}")
        return messages

    def close(self) -> None:
        """Free the connection to the broker."""
        self._consumer.close(autocommit=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
