"""A producer at a steady rate, in a process of its own: `python -m benchmarks.speed.pacer`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks.speed.stream import generate, json_messages

_TICK_S = 0.005
_FLUSH_S = 30.0
# librdkafka, since it is the cheapest producer: what it takes, what is measured does not get (see
# "Latency" in docs/research-log.md). Batches as the daemon's own producer makes them.
_SETTINGS: dict[str, str | int | bool] = {
    "linger.ms": 2,
    "batch.size": 256 * 1024,
    "acks": "all",
    "enable.idempotence": True,
}
JsonMessage = tuple[int, bytes, bytes]


class Pace(msgspec.Struct, kw_only=True):
    """What is sent: `events` events at `per_s`."""

    bootstrap: str
    topic: str
    events: int
    per_s: float
    channels: int
    keys: int
    seed: int = 0


class NotAcknowledgedError(Exception):
    """The broker did not take an event: what is measured would be another stream."""


class PacedProducer:
    """Sends messages to one topic and waits until the broker has them.

    Args:
        bootstrap: The broker.
        topic: Where all of them go.
    """

    def __init__(self, bootstrap: str, topic: str) -> None:
        from confluent_kafka import Producer  # only the process that sends needs it

        self._producer = Producer({"bootstrap.servers": bootstrap, **_SETTINGS})
        self._topic = topic
        self._errors: list[Any] = []

    def send(self, messages: Sequence[JsonMessage]) -> None:
        """Return when all are acknowledged.

        Raises:
            NotAcknowledgedError: One was refused, or not acknowledged in time.
        """
        for partition, key, value in messages:
            self._producer.produce(
                self._topic, value, key, partition, on_delivery=self._note_delivery
            )
        late = self._producer.flush(_FLUSH_S)
        if late or self._errors:
            raise NotAcknowledgedError(f"{late} events late, errors: {self._errors[:3]}")

    def _note_delivery(self, error: Any, _: Any) -> None:
        if error is not None:
            self._errors.append(error)


def send(pace: Pace) -> None:
    """Send them, each tick what is due by then; made beforehand: a paced process costs little."""
    batch = generate(
        pace.events, num_channels=pace.channels, num_keys=pace.keys, seed=pace.seed + 2
    )
    messages = list(json_messages(batch))
    producer = PacedProducer(pace.bootstrap, pace.topic)
    producer.send(messages[:1])  # Connected: the pace is steady from here on.
    began_s, sent = time.monotonic(), 1
    while sent < pace.events:
        due = min(1 + int((time.monotonic() - began_s) * pace.per_s), pace.events)
        producer.send(messages[sent:due])
        sent = due
        time.sleep(_TICK_S)


if __name__ == "__main__":
    send(msgspec.json.decode(sys.argv[1], type=Pace))
