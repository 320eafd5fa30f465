"""A real Kafka on loopback, and the daemon on it as its own process."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from streamssl.config.settings import Config, load_config
from streamssl.data.events import Message
from streamssl.demo.scene import Acknowledged
from streamssl.devkit.broker import DevBroker
from streamssl.devkit.clients import TopicReader, TopicWriter, create_topic
from streamssl.devkit.daemon import Daemon, free_port

NUM_PARTITIONS = 4


class KafkaScene:
    """Broker, daemon, producer and `read_committed` reader; nothing is left behind.

    Args:
        config_path: The daemon's configuration; broker, state folder and port are set here.
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
            address = bootstrap_servers or _start_broker(stack)
            self.broker: str | None = f"Apache Kafka at {address}"
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="streamssl-")))
            path, config = _generate(config_path, folder, address)
            self.scores_topic = f"{config.app.name}.scores"
            self.replay_max_bytes = config.replay.max_bytes
            outputs = [self.scores_topic, f"{config.app.name}.dlq"]
            for topic in (config.input.topic, *outputs):
                create_topic(config.kafka, topic, NUM_PARTITIONS)
            self._daemon = Daemon(path, config.telemetry.port)
            stack.callback(self._daemon.stop)
            self._reader = stack.enter_context(TopicReader(config.kafka, *outputs))
            self._writer = stack.enter_context(
                TopicWriter(config.kafka, config.input.topic, acknowledged=acknowledged)
            )
            self._stack = stack.pop_all()

    def ready(self) -> bool:
        """Whether the daemon has joined its group."""
        return self._daemon.ready()

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
        """The daemon's metrics."""
        return self._daemon.exposition()

    def last_words(self) -> str | None:
        """What the daemon said before it died, None while it lives."""
        return self._daemon.last_words()

    def stop_daemon(self) -> None:
        """SIGTERM, and wait."""
        self._daemon.stop()

    def close(self) -> None:
        """Close the clients, end daemon and broker, remove the temporary folders."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def _start_broker(stack: ExitStack) -> str:
    """Its address; it is stopped with the stack even where the start is interrupted."""
    broker = DevBroker()
    stack.callback(broker.stop)
    broker.start()
    return broker.bootstrap_servers


def _generate(config_path: Path, folder: Path, address: str) -> tuple[Path, Config]:
    """The configuration with this run's broker, folder and port, as a file and as a model."""
    overrides = [
        f"kafka.bootstrap_servers={address}",
        f"app.state_dir={folder / 'state'}",
        f"telemetry.port={free_port()}",
    ]
    config = load_config(config_path, overrides, environ={})
    values: dict[str, Any] = config.model_dump(mode="json", exclude_unset=True)
    path = folder / "daemon.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path, config
