"""Plain clients beside the daemon: what puts events in, and what reads the results.

They take no part in the daemon's group or transactions; the demo and the tests use them to see
what any subscriber would see. No security settings: they are for a broker on loopback.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from streamssl.events import Message, StreamsslError

# Partition, offset and timestamp (seconds since 1970) of a record that the broker took.
Acknowledged = Callable[[int, int, float], None]


class ProduceError(StreamsslError):
    """The broker did not take an event."""


def create_topics(bootstrap_servers: str, topics: Sequence[str], num_partitions: int) -> None:
    """Create topics with so many partitions each, and wait until they can be used."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers)
    try:
        new = [NewTopic(name=topic, num_partitions=num_partitions) for topic in topics]
        admin.create_topics(new, wait_for_metadata=True)
    finally:
        admin.close()


class PlainProducer:
    """Sends events one by one, without transactions.

    Args:
        bootstrap_servers: The broker's address.
        topic: Where events go; the broker's client spreads the keys over its partitions.
        acknowledged: Called, on the client's own thread, for each event that was taken.
    """

    def __init__(self, bootstrap_servers: str, *, topic: str, acknowledged: Acknowledged) -> None:
        self._topic = topic
        self._acknowledged = acknowledged
        self._failed = threading.Event()
        self._reason = ""
        self._producer = KafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", linger_ms=5)

    def send(self, key: bytes, value: bytes) -> None:
        """Send one event; it may still be under way on return.

        Raises:
            ProduceError: An earlier event was not taken.
        """
        self._check()
        try:
            future = self._producer.send(self._topic, key=key, value=value)
        except KafkaError as error:
            self._fail(error)
            self._check()
        future.add_callback(self._on_taken)
        future.add_errback(self._fail)

    def flush(self, timeout_s: float = 10.0) -> None:
        """Wait until every event was taken.

        Raises:
            ProduceError: One was not, or not in time.
        """
        try:
            self._producer.flush(timeout_s)
        except KafkaError as error:
            self._fail(error)
        self._check()

    def close(self) -> None:
        """Send no more."""
        self._producer.close(timeout=1.0)

    def _on_taken(self, metadata: Any) -> None:
        partition, offset = metadata.partition, metadata.offset
        self._acknowledged(partition, offset, metadata.timestamp / 1_000)

    def _fail(self, error: BaseException) -> None:
        self._reason = str(error) or type(error).__name__
        self._failed.set()

    def _check(self) -> None:
        if self._failed.is_set():
            raise ProduceError(f"an event could not be sent to {self._topic}: {self._reason}")


class CommittedReader:
    """Reads topics from their beginning, committed records only, as any subscriber may.

    Args:
        bootstrap_servers: The broker's address.
        topics: They must exist.
    """

    def __init__(self, bootstrap_servers: str, *, topics: Sequence[str]) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            group_id=None,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            max_poll_records=10_000,
        )
        parts = [
            TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(self._consumer.partitions_for_topic(topic) or ())
        ]
        self._consumer.assign(parts)

    def poll(self, timeout_s: float) -> list[tuple[str, list[Message]]]:
        """What has been committed since: (topic, messages of one partition in order)."""
        found = self._consumer.poll(timeout_ms=int(timeout_s * 1_000))
        return [
            (place.topic, [_message(record) for record in records])
            for place, records in found.items()
        ]

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()


def _message(record: Any) -> Message:
    return Message(
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        timestamp_ms=record.timestamp,
        headers=tuple(record.headers),
    )
