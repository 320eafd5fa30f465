"""Two client libraries behind one interface: they differ in speed, not in what is promised.

Only what every message passes through is here: the group's consumer and the producer. What is
asked once (topics, fences, ranges, the journal) stays with kafka-python, which is always there.
Whatever is policy (shares, positions, incarnations, settling) is written once, above this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from streamssl.config.sections import KafkaConfig
from streamssl.transport.kafka.clients.base import Library


def _kafka_python(kafka: KafkaConfig) -> Library:
    from streamssl.transport.kafka.clients.kafka_python import KafkaPython

    return KafkaPython(kafka)


def _librdkafka(kafka: KafkaConfig) -> Library:
    from streamssl.transport.kafka.clients.librdkafka import Librdkafka

    return Librdkafka(kafka)


# By the value of `kafka.client`; imported when wanted, since the second one is optional.
LIBRARIES: Mapping[str, Callable[[KafkaConfig], Library]] = {
    "kafka-python": _kafka_python,
    "librdkafka": _librdkafka,
}


def library_of(kafka: KafkaConfig) -> Library:
    """The library that the configuration names, which has checked that it is installed."""
    return LIBRARIES[kafka.client](kafka)
