"""A producer at a steady rate, in a process of its own: `python -m benchmarks.speed.pacer`."""

from __future__ import annotations

import sys
import time

import msgspec

from benchmarks.speed.scripts import has_confluent
from benchmarks.speed.stream import generate, json_messages
from streamssl.config.sections import KafkaConfig
from streamssl.data.events import OutputRecord
from streamssl.transport.kafka.clients import library_of
from streamssl.transport.kafka.clients.base import Addressed, Producer, ProducerOptions
from streamssl.transport.kafka.topics import RECORD_BYTES

_TICK_S = 0.005
_PATIENCE_S = 30.0


class Pace(msgspec.Struct, kw_only=True):
    """What is sent: `events` events at `per_s`."""

    bootstrap: str
    topic: str
    events: int
    per_s: float
    channels: int
    keys: int
    seed: int = 0


def send(pace: Pace) -> None:
    """Send them, each tick what is due by then; made beforehand: a paced process costs little."""
    batch = generate(
        pace.events, num_channels=pace.channels, num_keys=pace.keys, seed=pace.seed + 2
    )
    records = [
        Addressed(pace.topic, partition, OutputRecord(pace.topic, key, value))
        for partition, key, value in json_messages(batch)
    ]
    producer = _producer(pace.bootstrap)
    producer.send(records[:1], _PATIENCE_S)  # Connected: the pace is steady from here on.
    began_s, sent = time.monotonic(), 1
    while sent < pace.events:
        due = min(1 + int((time.monotonic() - began_s) * pace.per_s), pace.events)
        for outcome in producer.send(records[sent:due], _PATIENCE_S):
            if isinstance(outcome, BaseException):
                raise outcome
        sent = due
        time.sleep(_TICK_S)


def _producer(bootstrap: str) -> Producer:
    """The cheapest producer there is: what it takes, what is measured does not get."""
    client = "librdkafka" if has_confluent() else "kafka-python"
    kafka = KafkaConfig.model_validate({"bootstrap_servers": bootstrap, "client": client})
    return library_of(kafka).new_producer(
        ProducerOptions(
            transactional_id=None,
            transaction_timeout_ms=kafka.transaction_timeout_ms,
            request_timeout_ms=kafka.request_timeout_ms,
            delivery_ms=2 * kafka.request_timeout_ms,
            max_request_bytes=RECORD_BYTES,
            max_batch_bytes=RECORD_BYTES,
        )
    )


if __name__ == "__main__":
    send(msgspec.json.decode(sys.argv[1], type=Pace))
