"""kafka-python as the client: always installed, and the default."""

from __future__ import annotations

from streamssl.config.sections import KafkaConfig
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.clients.base import GroupConsumer, Producer, ProducerOptions
from streamssl.transport.kafka.clients.kafka_python.consumer import PythonConsumer
from streamssl.transport.kafka.clients.kafka_python.producer import PythonProducer
from streamssl.transport.kafka.security import client_settings


class KafkaPython:
    """Makes clients of kafka-python.

    Args:
        kafka: How to reach the broker.
    """

    def __init__(self, kafka: KafkaConfig) -> None:
        self._settings = client_settings(kafka)
        self._session_timeout_ms = kafka.session_timeout_ms

    def new_consumer(
        self, *, topic: str, group: str, member: str, assignments: Assignments
    ) -> GroupConsumer:
        """A consumer that has not joined yet."""
        return PythonConsumer(
            self._settings,
            topic=topic,
            group=group,
            member=member,
            session_timeout_ms=self._session_timeout_ms,
            assignments=assignments,
        )

    def new_producer(self, options: ProducerOptions) -> Producer:
        """A producer, connected."""
        return PythonProducer(self._settings, options)
