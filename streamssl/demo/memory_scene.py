"""The demo where no Kafka can be had: the engine in this process, on the in-memory transport."""

from __future__ import annotations

import threading
import time
import traceback
import zlib
from pathlib import Path

from prometheus_client import generate_latest

from streamssl.codecs.registry import build_codec
from streamssl.config.settings import Config
from streamssl.data.events import Message
from streamssl.demo.settings import demo_config
from streamssl.devkit.delivery import Acknowledged
from streamssl.engine import Engine
from streamssl.host.local import LocalHost
from streamssl.stream import StreamLearner
from streamssl.telemetry.health import Health
from streamssl.telemetry.metrics import Metrics
from streamssl.transport.memory import MemoryBroker, MemoryTransport

NUM_PARTITIONS = 4


class MemoryScene:
    """An engine in a thread between two memory topics.

    Args:
        config_path: The engine's configuration; checkpoints are not kept.
        acknowledged: Told of every event that was put in.
    """

    broker: str | None = None

    def __init__(self, config_path: Path, acknowledged: Acknowledged) -> None:
        config = demo_config(config_path)
        self.scores_topic = f"{config.app.name}.scores"
        self.replay_max_bytes = config.replay.max_bytes
        self._input = config.input.topic
        self._topics = [self.scores_topic, f"{config.app.name}.dlq"]
        self._acknowledged = acknowledged
        self._memory = MemoryBroker(num_partitions=NUM_PARTITIONS)
        self._positions: dict[tuple[str, int], int] = {}
        self._metrics = Metrics()
        self._health = Health()
        self._stopping = threading.Event()
        self._words: str | None = None
        self._engine = self._make_engine(config)
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def ready(self) -> bool:
        """Whether the engine has joined its group."""
        return not self._health.ready()

    def send(self, key: bytes, value: bytes) -> None:
        """Put one event into its key's partition."""
        partition = zlib.crc32(key) % NUM_PARTITIONS
        offset = self._memory.produce(self._input, partition, value, key=key)
        self._acknowledged(partition, offset, time.time())

    def flush(self) -> None:
        """Nothing is ever under way."""

    def poll(self, timeout_s: float) -> list[tuple[str, list[Message]]]:
        """What the engine has committed since."""
        self._memory.wait_for(self._anything, timeout_s)
        found = []
        for topic in self._topics:
            for partition in range(NUM_PARTITIONS):
                start = self._positions.get((topic, partition), 0)
                messages = self._memory.read(topic, partition, start)
                if messages:
                    self._positions[topic, partition] = messages[-1].offset + 1
                    found.append((topic, messages))
        return found

    def exposition(self) -> str:
        """The engine's metrics as Prometheus text."""
        return generate_latest(self._metrics.registry).decode()

    def last_words(self) -> str | None:
        """Why the engine ended, None while it runs."""
        return self._words

    def stop_daemon(self) -> None:
        """Let the engine drain and end."""
        self._stopping.set()
        self._thread.join()

    def close(self) -> None:
        """End the engine; everything else goes with this object."""
        self.stop_daemon()

    def _make_engine(self, config: Config) -> Engine:
        return Engine(
            config=config,
            transport=MemoryTransport(self._memory, topic=self._input, app=config.app.name),
            host=LocalHost(StreamLearner.from_config(config)),
            codec=build_codec(config),
            metrics=self._metrics,
            health=self._health,
            stopping=self._stopping,
        )

    def _run(self) -> None:
        try:
            self._engine.run()
        except Exception:
            self._words = f"the engine ended:\n{traceback.format_exc()}"

    def _anything(self) -> bool:
        return any(
            self._memory.count(topic, partition, self._positions.get((topic, partition), 0))
            for topic in self._topics
            for partition in range(NUM_PARTITIONS)
        )
