"""The input of a scenario: who writes it, and what the broker acknowledged of it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Self

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.chaos.repeating import repeating
from streamssl.devkit.delivery import InputLog, Place

NUM_PARTITIONS = 4
CLIENT = "source"
NUM_MACHINES = 8
NUM_READINGS = 1_024
UNREADABLE = "unreadable"
# Longer than any outage: what was handed over arrives when the broker is back.
DELIVERY_MS = 1_200_000
ReadingMaker = Callable[[random.Random], bytes]


def channels(num_channels: int) -> ReadingMaker:
    """Readings of so many numeric channels."""

    def reading(rng: random.Random) -> bytes:
        values = {f"c{i}": round(rng.gauss(0, 1), 4) for i in range(num_channels)}
        return json.dumps(values).encode()

    return reading


class InputSource:
    """A producer without transactions that writes down what was acknowledged.

    Args:
        bootstrap_servers: The broker.
        topic: Input topic.
        reading: Makes the value of a reading.
        unreadable: Share of readings that are no JSON.

    Attributes:
        inputs: What the broker acknowledged.
        kinds: What is wrong with the messages that were sent as bad ones.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        reading: ReadingMaker | None = None,
        unreadable: float = 0.03,
    ) -> None:
        self.inputs = InputLog()
        self.kinds: dict[Place, str] = {}
        self._topic = topic
        self._unreadable = unreadable
        self._rng = random.Random(0)
        # To draw from: making each anew would take as long as a daemon takes with it.
        make = reading or channels(3)
        self._values = [make(self._rng) for _ in range(NUM_READINGS)]
        self._lost: list[KafkaError] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap_servers,
                "client.id": CLIENT,
                "enable.idempotence": True,
                "linger.ms": 5,
                "request.timeout.ms": 5_000,
                "message.timeout.ms": DELIVERY_MS,
                "message.max.bytes": 8 * 2**20,
                "log_level": 2,  # that the broker is away is meant
            }
        )

    def send(self, value: bytes | None, *, key: bytes | None, partition: int, kind: str) -> None:
        """Hand over one message; `kind` says what is wrong with it, empty where nothing is."""
        taken = partial(self._taken, kind)
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition, on_delivery=taken)
            except BufferError:  # it waits for the broker
                self._producer.poll(0.05)
            else:
                break
        self._producer.poll(0)

    def produce(self, num_messages: int, *, padding: int = 0) -> None:
        """Append readings of eight machines, a few of them unreadable; all acknowledged."""
        self.hand_over(num_messages, padding=padding)
        self.flush()

    def hand_over(self, num_messages: int, *, padding: int = 0) -> None:
        """The same, on their way; padded with so many blanks."""
        for _ in range(num_messages):
            self._reading(padding)

    def _reading(self, padding: int = 0) -> None:
        """Hand over one reading, or what should have been one."""
        machine, readable = (
            self._rng.randrange(NUM_MACHINES),
            self._rng.random() >= self._unreadable,
        )
        value = self._rng.choice(self._values) + b" " * padding if readable else b"{"
        kind = "" if readable else UNREADABLE
        self.send(value, key=b"m%d" % machine, partition=machine % NUM_PARTITIONS, kind=kind)

    def flush(self, timeout_s: float = DELIVERY_MS / 1e3) -> None:
        """Return when everything handed over is acknowledged.

        Raises:
            AssertionError: The broker refused a message, or did not answer in time.
        """
        waiting = self._producer.flush(timeout_s)
        assert not waiting, f"{waiting} messages of the input were not taken in time"
        assert not self._lost, f"the input itself was not taken: {self._lost[:3]}"

    @contextmanager
    def streaming(self, rate: float) -> Iterator[None]:
        """Readings at a rate while the body runs; acknowledged when it has ended."""
        with repeating(self._at_rate(rate)):
            yield
        self.flush()

    def close(self) -> None:
        """Give up what was not acknowledged."""
        self._producer.purge()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _at_rate(self, rate: float) -> Callable[[], None]:
        """Hands over one reading if it is time for one, else waits a little."""
        began_s, num = time.monotonic(), 0

        def turn() -> None:
            nonlocal num
            if num < (time.monotonic() - began_s) * rate:
                self._reading()
                num += 1
            else:
                time.sleep(0.005)

        return turn

    def _taken(self, kind: str, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._lost.append(error)
            return
        place = message.partition(), message.offset()
        self.inputs.acknowledge(*place, readable=not kind)
        # Of unreadable readings a long run has a million: that they are counted is enough.
        if kind and kind != UNREADABLE:
            self.kinds[place] = kind
