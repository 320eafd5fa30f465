"""A real broker with the benchmark's topics, and the independent reader of what comes out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial

import numpy as np

from benchmarks.speed.counting import Counted, count, one
from benchmarks.speed.plan import NUM_CHANNELS, NUM_KEYS, NUM_PARTITIONS, SpeedPlan
from benchmarks.speed.stream import arrow_messages, generate, json_messages
from streamssl.data.events import EventBatch, Message
from streamssl.devkit.clients import TopicReader, TopicWriter
from streamssl.devkit.delivery import InputLog
from streamssl.devkit.local_kafka import LocalKafka
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import RECORD_BYTES, Admin

# Appends are timed by the broker's clock, not by what a client says of itself.
_CONFIGS = {
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(RECORD_BYTES),
}
_READ_TIMEOUT_S = 300.0


class Bed(LocalKafka):
    """A broker for one run; input topics are filled once, when they are first asked for.

    Args:
        plan: Sizes.

    Attributes:
        inputs: What the broker took of each input topic, by its name.
    """

    def __init__(self, plan: SpeedPlan) -> None:
        super().__init__()
        self.plan = plan
        self.inputs: dict[str, InputLog] = {}
        self._message_bytes: dict[str, float] = {}
        self._numbers: dict[str, int] = {}

    def name(self, word: str) -> str:
        """A name that nothing on this broker has yet."""
        number = self._numbers[word] = self._numbers.get(word, 0) + 1
        return f"{word}-{number}"

    def topic(self, name: str) -> str:
        """Make a topic; its name again."""
        spec = {"num_partitions": NUM_PARTITIONS, "configs": dict(_CONFIGS)}
        with closing(Admin(client_settings(self.kafka))) as admin:
            admin.client.create_topics({name: spec})
            admin.client.wait_for_topics([name])
        return name

    def input(self, codec: str) -> str:
        """The topic that holds all events as JSON or as Arrow, one after another."""
        name = f"in-{codec}"
        if name not in self.inputs:
            messages = json_messages if codec == "json" else arrow_messages
            self._fill(self.topic(name), messages(self.events()))
        return name

    def message_bytes(self, codec: str) -> float:
        """Mean size of an input message's value."""
        return self._message_bytes[self.input(codec)]

    def events(self) -> EventBatch:
        """The events of the input topics."""
        return generate(
            self.plan.events,
            num_channels=NUM_CHANNELS,
            num_keys=NUM_KEYS,
            num_partitions=NUM_PARTITIONS,
            seed=self.plan.seed,
        )

    def read(self, topic: str) -> list[Message]:
        """Everything in a topic, as a `read_committed` subscriber sees it."""
        with TopicReader(self.kafka, topic) as reader:
            return reader.read_to_end(_READ_TIMEOUT_S)

    def count(self, topic: str, events_in: Callable[[Message], int] = one) -> Counted:
        """Count the events of an output topic, `events_in` of each message."""
        return count(self.read(topic), events_in)

    def _fill(self, topic: str, messages: Iterable[tuple[int, bytes, bytes]]) -> None:
        inputs, sizes = InputLog(), []
        taken = partial(_acknowledge, inputs)
        with TopicWriter(self.kafka, topic, acknowledged=taken) as writer:
            for partition, key, value in messages:
                writer.send(value, key=key or None, partition=partition)
                sizes.append(len(value))
            writer.flush(120.0)
        self.inputs[topic], self._message_bytes[topic] = inputs, float(np.mean(sizes))


def _acknowledge(inputs: InputLog, partition: int, offset: int, _: float) -> None:
    inputs.acknowledge(partition, offset)
