"""The input of a scenario: who writes it, and what the broker acknowledged of it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from kafka import KafkaProducer

from benchmarks.chaos.beside import beside

NUM_PARTITIONS = 4
CLIENT = "source"
NUM_MACHINES = 8
UNREADABLE = "unreadable"
# Longer than any outage: what was handed over arrives when the broker is back.
DELIVERY_MS = 1_200_000
Place = tuple[int, int]


class Ledger:
    """What the broker acknowledged: every (partition, offset), and what is wrong with it.

    Attributes:
        kinds: Empty where the message can be read, else the name of its fault.
        expired: Places that were deleted before anybody read them.
    """

    def __init__(self) -> None:
        self.kinds: dict[Place, str] = {}
        self.expired: set[Place] = set()

    def __len__(self) -> int:
        return len(self.kinds)

    def readable(self) -> dict[int, list[bool]]:
        """For each partition, in the order of offsets, whether its messages can be read."""
        found: dict[int, list[bool]] = {partition: [] for partition in range(NUM_PARTITIONS)}
        for (partition, _), kind in sorted(self.kinds.items()):
            found[partition].append(not kind)
        return found


class Source:
    """A producer without transactions that writes down what was acknowledged.

    Args:
        bootstrap_servers: The broker.
        topic: Input topic.
        num_channels: Values of a reading.
        unreadable: Share of messages that are no JSON.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        *,
        num_channels: int = 3,
        unreadable: float = 0.03,
    ) -> None:
        self.ledger = Ledger()
        self._topic = topic
        self._names = [f"c{i}" for i in range(num_channels)]
        self._unreadable = unreadable
        self._rng = random.Random(0)
        self._lost: list[BaseException] = []
        self._producer = KafkaProducer(
            bootstrap_servers=bootstrap_servers.split(","),
            client_id=CLIENT,
            acks="all",
            enable_idempotence=True,
            linger_ms=5,
            request_timeout_ms=5_000,
            delivery_timeout_ms=DELIVERY_MS,
            max_block_ms=DELIVERY_MS,
            max_request_size=8 * 2**20,
            metrics_enabled=False,
        )

    def send(self, value: bytes | None, *, key: bytes | None, partition: int, kind: str) -> None:
        """Hand over one message; `kind` says what is wrong with it."""
        future = self._producer.send(self._topic, value=value, key=key, partition=partition)
        future.add_callback(self._taken, kind)
        future.add_errback(self._lost.append)

    def produce(self, num_messages: int, *, padding: int = 0) -> None:
        """Append readings of eight machines, a few of them unreadable; all acknowledged."""
        for _ in range(num_messages):
            self.reading(padding=padding)
        self.flush()

    def reading(self, *, padding: int = 0) -> None:
        """Hand over one reading, or what should have been one; `padding` bytes are no channel."""
        values: dict[str, Any] = {n: round(self._rng.gauss(0, 1), 4) for n in self._names}
        values |= {"note": "x" * padding} if padding else {}
        machine, readable = (
            self._rng.randrange(NUM_MACHINES),
            self._rng.random() >= self._unreadable,
        )
        value = json.dumps(values).encode() if readable else b"{"
        kind = "" if readable else UNREADABLE
        self.send(value, key=b"m%d" % machine, partition=machine % NUM_PARTITIONS, kind=kind)

    def flush(self, timeout_s: float = DELIVERY_MS / 1e3) -> None:
        """Return when everything handed over is acknowledged.

        Raises:
            AssertionError: The broker refused a message, or did not answer in time.
        """
        self._producer.flush(timeout_s)
        assert not self._lost, f"the input itself was not taken: {self._lost[:3]}"

    @contextmanager
    def streaming(self, rate: float) -> Iterator[None]:
        """Readings at a rate while the body runs; acknowledged when it has ended."""
        with beside(self._at_rate(rate)):
            yield
        self.flush()

    def close(self) -> None:
        """Free the connection."""
        self._producer.close(timeout=5)

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
                self.reading()
                num += 1
            else:
                time.sleep(0.005)

        return turn

    def _taken(self, kind: str, metadata: Any) -> None:
        self.ledger.kinds[metadata.partition, metadata.offset] = kind
