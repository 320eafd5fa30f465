"""A Kafka and a folder for one run of something."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from streamssl.config.sections import KafkaConfig
from streamssl.devkit.broker import DevBroker


class LocalKafka:
    """A broker on loopback and a temporary folder beside it; `close` leaves nothing behind.

    Args:
        bootstrap_servers: A broker that already runs, and goes on; None starts one.

    Attributes:
        bootstrap_servers: Where the broker listens.
        kafka: How clients reach it.
        folder: For configurations, states and logs of what runs on it.

    Raises:
        BrokerUnavailableError: No broker can be had.
    """

    def __init__(self, bootstrap_servers: str | None = None) -> None:
        with ExitStack() as stack:
            folder = tempfile.TemporaryDirectory(prefix="streamssl-")
            self.folder = Path(stack.enter_context(folder))
            self.bootstrap_servers = bootstrap_servers or self._start(stack)
            self.kafka = KafkaConfig(bootstrap_servers=self.bootstrap_servers)
            self._stack = stack.pop_all()

    def close(self) -> None:
        """End the broker, where it was started here, and remove the folder."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self, stack: ExitStack) -> str:
        """Its address; it is stopped with the stack even where the start is interrupted."""
        broker = DevBroker(data_dir=self.folder / "kafka")
        stack.callback(broker.stop)
        broker.start()
        return broker.bootstrap_servers
