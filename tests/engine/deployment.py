"""One application on a real Kafka: its input, its processes, and what others see of them."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

from streamssl.checkpoint import checkpoints
from streamssl.config.sections import KafkaConfig, OutputsConfig
from streamssl.engine.start import CHECKPOINTS
from streamssl.events import Headers
from streamssl.transport.kafka.client import TopicReader, TopicWriter
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import Admin
from tests.conftest import RunningBroker

COMMAND = "from streamssl.cli.app import main; main()"
NUM_PARTITIONS = 4
OUTPUTS = ("scores", "embeddings", "dlq", "spaces")
# Key, value and headers of every record, by topic and partition.
Published = dict[tuple[str, int], list[tuple[bytes | None, bytes | None, Headers]]]


class Deployment:
    """One instance of one application on topics of its own.

    Args:
        broker: A running Kafka.
        name: Gives names that nobody else uses.
        folder: For the configuration, the state directory and the log.
        sections: Of the configuration.

    Attributes:
        readable: What was produced: for each partition, whether its messages can be read.
    """

    def __init__(
        self,
        broker: RunningBroker,
        name: Callable[[str], str],
        folder: Path,
        sections: dict[str, Any],
    ) -> None:
        self.state_dir, self.log = folder / "state", folder / "log"
        self.kafka = KafkaConfig(bootstrap_servers=broker.bootstrap_servers)
        self.app, self.topic = name("app"), name("events")
        self.readable: dict[int, list[bool]] = {p: [] for p in range(NUM_PARTITIONS)}
        own: dict[str, Any] = {
            "app": {"name": self.app, "state_dir": str(self.state_dir)},
            "kafka": {"bootstrap_servers": broker.bootstrap_servers},
            "input": {"topic": self.topic},
            "outputs": {"journal_partitions": 1},
            "telemetry": {"port": 0},
        }
        self.config = folder / "config.yaml"
        self.config.write_text(json.dumps({**sections, **own}))
        self._rng = random.Random(0)
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        """Make the topics, and hold one connection to each side."""
        admin = Admin(client_settings(self.kafka))
        self._opened.callback(admin.close)
        admin.create(self.topic, NUM_PARTITIONS)
        admin.ensure_outputs(self.app, NUM_PARTITIONS, OutputsConfig(journal_partitions=1))
        self._writer = self._opened.enter_context(TopicWriter(self.kafka, self.topic))
        self._log = self._opened.enter_context(self.log.open("ab"))
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def num_produced(self) -> int:
        """Messages of all partitions."""
        return sum(map(len, self.readable.values()))

    def produce(self, num_messages: int) -> None:
        """Append readings of eight machines, a few of them unreadable."""
        for _ in range(num_messages):
            values = {name: round(self._rng.gauss(0, 1), 4) for name in ("a", "b", "c")}
            machine, readable = self._rng.randrange(8), self._rng.random() > 0.03
            value = json.dumps(values).encode() if readable else b"{"
            partition = machine % NUM_PARTITIONS
            self._writer.send(value, key=b"m%d" % machine, partition=partition)
            self.readable[partition].append(readable)
        self._writer.flush()

    def start(self, *overrides: str) -> subprocess.Popen[bytes]:
        """A daemon as a process of the command line."""
        settings = [word for override in overrides for word in ("--set", override)]
        return self._process("run", "-c", str(self.config), *settings, stdout=self._log)

    def replay(self, output: Path) -> tuple[int, bytes]:
        """Exit code and answer of a process that reproduces what the daemons published."""
        arguments = ("replay", "-c", str(self.config), "--journal", "--output", str(output))
        process = self._process(*arguments, stdout=subprocess.PIPE)
        answer = process.communicate(timeout=120)[0]
        return process.returncode, answer

    def _process(self, *arguments: str, stdout: Any) -> subprocess.Popen[bytes]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("STREAMSSL_")}
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *arguments],
            stdout=stdout,
            stderr=self._log,
            env={**clean, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # a group with the learner's process: both can be stopped
        )

    def published(self) -> Published:
        """What a read_committed subscriber sees."""
        found: Published = {}
        for output in OUTPUTS:
            with TopicReader(self.kafka, f"{self.app}.{output}") as reader:
                for m in reader.read_to_end():
                    row = (m.key, m.value, m.headers)
                    found.setdefault((output, m.partition), []).append(row)
        return found

    def reproduced(self, path: Path) -> Published:
        """What a replay wrote to a Parquet file."""
        found: Published = {}
        for row in pq.read_table(path).to_pylist():
            output = row["topic"].removeprefix(f"{self.app}.")
            headers = tuple((header["name"], header["value"]) for header in row["headers"])
            record = (row["key"], row["value"], headers)
            found.setdefault((output, row["partition"]), []).append(record)
        return found

    def checkpoints(self) -> list[Path]:
        """The checkpoints that are kept, newest first."""
        return checkpoints(self.state_dir / CHECKPOINTS)

    def lock_holder(self) -> int:
        """The process that holds the state directory, or held it last; 0 before the first."""
        lock = self.state_dir / "lock"
        return int((lock.read_text() if lock.exists() else "") or 0)

    def told(self) -> str:
        """The end of what the processes logged."""
        return self.log.read_text()[-4_000:]
