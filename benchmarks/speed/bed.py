"""A real broker with the benchmark's topics, and the independent reader that counts."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from benchmarks.speed.plan import NUM_CHANNELS, NUM_KEYS, NUM_PARTITIONS, Plan
from benchmarks.speed.results import Rate
from benchmarks.speed.stream import arrow_messages, generate, json_messages
from streamssl.config.sections import KafkaConfig
from streamssl.data.events import EventBatch, IntArray, Message
from streamssl.devkit.broker import DevBroker
from streamssl.devkit.clients import TopicReader, TopicWriter
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import RECORD_BYTES, Admin

# Appends are timed by the broker's clock, not by what a client says of itself.
_CONFIGS = {
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(RECORD_BYTES),
}
_READ_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Counted:
    """What the reader found in a topic.

    Attributes:
        events: In all.
        steady_events: Appended inside the steady window.
        steady_s: Length of that window.
        num_bytes: Of keys, values and headers.
    """

    events: int
    steady_events: int
    steady_s: float
    num_bytes: int

    def rate(self, id_: str, name: str, expected: int) -> Rate:
        """A row of a table, with as many events as there should be."""
        return Rate(
            id=id_,
            name=name,
            events=self.steady_events,
            seconds=self.steady_s,
            counted=self.events,
            expected=expected,
        )


def one(message: Message) -> int:  # noqa: ARG001 - as every way of counting
    """A message is an event."""
    return 1


def arrow_rows(message: Message) -> int:
    """A message is an Arrow IPC stream with one event a row."""
    with pa.ipc.open_stream(message.value) as reader:
        return int(reader.read_all().num_rows)


class Bed:
    """A broker for one run; input topics are filled once, when they are first asked for.

    Args:
        plan: Sizes.

    Attributes:
        folder: For configurations, states and logs of what runs on it; removed at the end.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._filled: dict[str, float] = {}
        self._numbers: dict[str, int] = {}
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speed-")))
            broker = DevBroker(data_dir=self.folder / "kafka")
            stack.callback(broker.stop)
            broker.start()
            self.address = broker.bootstrap_servers
            self.kafka = KafkaConfig(bootstrap_servers=self.address)
            self._admin = Admin(client_settings(self.kafka))
            stack.callback(self._admin.close)
            self._stack = stack.pop_all()

    def name(self, word: str) -> str:
        """A name that nothing on this broker has yet."""
        number = self._numbers[word] = self._numbers.get(word, 0) + 1
        return f"{word}-{number}"

    def topic(self, name: str) -> str:
        """Make a topic; its name again."""
        spec = {"num_partitions": NUM_PARTITIONS, "configs": dict(_CONFIGS)}
        self._admin.client.create_topics({name: spec})
        self._admin.client.wait_for_topics([name])
        return name

    def input(self, codec: str) -> str:
        """The topic that holds all events as JSON or as Arrow, one after another."""
        name = f"in-{codec}"
        if name not in self._filled:
            messages = json_messages if codec == "json" else arrow_messages
            self._filled[name] = self._fill(self.topic(name), messages(self.events()))
        return name

    def message_bytes(self, codec: str) -> float:
        """Mean size of an input message's value."""
        return self._filled[self.input(codec)]

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
        """Count the events of a topic.

        The steady window goes from the append of the event at 30 % to that of the one at 97 %.

        Args:
            topic: An output topic.
            events_in: How many events a message stands for.
        """
        messages = self.read(topic)
        if not messages:
            return Counted(0, 0, 0.0, 0)
        count_M = np.array([events_in(m) for m in messages])
        events, seconds = steady(np.array([m.timestamp_ms for m in messages]), count_M)
        return Counted(int(count_M.sum()), events, seconds, sum(map(_size, messages)))

    def close(self) -> None:
        """End the broker and remove the folder."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self, topic: str, messages: Iterable[tuple[int, bytes, bytes]]) -> float:
        sizes = []
        with TopicWriter(self.kafka, topic) as writer:
            for partition, key, value in messages:
                writer.send(value, key=key or None, partition=partition)
                sizes.append(len(value))
            writer.flush(120.0)
        return float(np.mean(sizes))


def steady(
    append_M: IntArray, count_M: IntArray, begin: float = 0.3, end: float = 0.97
) -> tuple[int, float]:
    """Events between two moments of a run, and the seconds between them.

    Args:
        append_M: Milliseconds at which each message was appended.
        count_M: Events in each message.
        begin: Share of the events after whose append the window begins.
        end: Share of the events with whose append it ends.

    Example:
        >>> steady(np.array([0, 1_000, 2_000, 3_000]), np.array([1, 1, 1, 1]), 0.25, 1.0)
        (3, 3.0)
    """
    moment_T, group = np.unique(append_M, return_inverse=True)
    done_T = np.cumsum(np.bincount(group, count_M))
    first, last = np.searchsorted(done_T, (begin * done_T[-1], end * done_T[-1])).tolist()
    seconds = float(moment_T[last] - moment_T[first]) / 1e3
    return int(done_T[last] - done_T[first]), seconds


def _size(message: Message) -> int:
    headers = sum(len(name) + len(value) for name, value in message.headers)
    return len(message.key or b"") + len(message.value or b"") + headers
