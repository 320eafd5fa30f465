"""A producer at a steady rate, in a process of its own: `python -m streamssl.bench.speed.pacer`."""

from __future__ import annotations

import itertools
import sys
import time

import msgspec

from streamssl.bench.speed.stream import generate, json_messages
from streamssl.config.sections import KafkaConfig
from streamssl.transport.kafka.client import TopicWriter

_TICK_S = 0.005


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
    """Send them, each tick what is due by then."""
    batch = generate(
        pace.events, num_channels=pace.channels, num_keys=pace.keys, seed=pace.seed + 2
    )
    messages = json_messages(batch)
    with TopicWriter(KafkaConfig(bootstrap_servers=pace.bootstrap), pace.topic) as writer:
        began_s, sent = time.monotonic(), 0
        while sent < pace.events:
            due = min(int((time.monotonic() - began_s) * pace.per_s), pace.events)
            for partition, key, value in itertools.islice(messages, due - sent):
                writer.send(value, key=key, partition=partition)
            sent = due
            time.sleep(_TICK_S)
        writer.flush()


if __name__ == "__main__":
    send(msgspec.json.decode(sys.argv[1], type=Pace))
