"""A real Kafka on loopback, and the daemon on it as its own process."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from streamssl.data.events import Message
from streamssl.demo.settings import demo_config
from streamssl.devkit.clients import TopicReader, TopicWriter, create_topic
from streamssl.devkit.daemon import DaemonProcess
from streamssl.devkit.delivery import Acknowledged
from streamssl.devkit.local_kafka import LocalKafka

NUM_PARTITIONS = 4


class KafkaScene:
    """Broker, daemon, producer and `read_committed` reader; nothing is left behind.

    Args:
        config_path: The daemon's configuration; broker, state folder and telemetry are set here.
        acknowledged: Told of every event that the broker took.
        bootstrap_servers: A broker that already runs; None starts one.

    Raises:
        BrokerUnavailableError: No broker can be had.
    """

    def __init__(
        self,
        config_path: Path,
        acknowledged: Acknowledged,
        bootstrap_servers: str | None = None,
    ) -> None:
        with ExitStack() as stack:
            kafka = stack.enter_context(LocalKafka(bootstrap_servers))
            self.broker: str | None = f"Apache Kafka at {kafka.bootstrap_servers}"
            config = demo_config(
                config_path,
                bootstrap_servers=kafka.bootstrap_servers,
                state_dir=str(kafka.folder / "state"),
            )
            self.scores_topic = f"{config.app.name}.scores"
            self.replay_max_bytes = config.replay.max_bytes
            outputs = [self.scores_topic, f"{config.app.name}.dlq"]
            for topic in (config.input.topic, *outputs):
                create_topic(config.kafka, topic, NUM_PARTITIONS)
            self._daemon = stack.enter_context(DaemonProcess.from_config(config, kafka.folder))
            self._reader = stack.enter_context(TopicReader(config.kafka, *outputs))
            self._writer = stack.enter_context(
                TopicWriter(config.kafka, config.input.topic, acknowledged=acknowledged)
            )
            self._stack = stack.pop_all()

    def ready(self) -> bool:
        """Whether the daemon has joined its group."""
        return self._daemon.is_ready()

    def send(self, key: bytes, value: bytes) -> None:
        """Put one event into the input topic."""
        self._writer.send(value, key=key)

    def flush(self) -> None:
        """Wait until the broker has every event."""
        self._writer.flush()

    def poll(self, timeout_s: float) -> list[tuple[str, list[Message]]]:
        """What the daemon has committed since."""
        return self._reader.poll(timeout_s)

    def exposition(self) -> str:
        """The daemon's metrics as Prometheus text."""
        return self._daemon.exposition()

    def last_words(self) -> str | None:
        """What the daemon said before it died, None while it lives."""
        return self._daemon.last_words()

    def stop_daemon(self) -> None:
        """Have the daemon drain, save and end; by force where it takes too long."""
        self._daemon.drain()

    def close(self) -> None:
        """Close the clients, end daemon and broker, remove the temporary folders."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
