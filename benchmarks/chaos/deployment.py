"""One application on a real Kafka: its input, its processes, and what others see of them."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol, Self

import pyarrow.parquet as pq

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.repeating import repeating
from benchmarks.chaos.source import NUM_PARTITIONS, InputSource, ReadingMaker
from benchmarks.chaos.worker import Worker
from streamssl.checkpoint.store import checkpoints
from streamssl.config.sections import KafkaConfig, OutputsConfig
from streamssl.data.events import Headers
from streamssl.devkit.clients import TopicReader
from streamssl.devkit.daemon import ENTRY, DaemonProcess
from streamssl.engine.start import CHECKPOINTS
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import Admin

OUTPUTS = ("scores", "embeddings", "incidents", "dlq", "spaces")
# Messages that are kept waiting where a daemon shall be at full speed.
LAG = 40_000
# Key, value and headers of every record, by topic and partition.
Published = dict[tuple[str, int], list[tuple[bytes | None, bytes | None, Headers]]]


class Broker(Protocol):
    """A running Kafka that a deployment can be put on."""

    @property
    def bootstrap_servers(self) -> str:
        """Where it listens, as clients want it."""


class Deployment:
    """The instances of one application, on topics of its own.

    Args:
        broker: A running Kafka.
        name: Gives names that nobody else uses.
        folder: For the configuration, the state directories and the logs.
        sections: Of the configuration.
        num_instances: Most that will run.
        reading: Makes the value of a reading; three channels by default.
        unreadable: Share of readings that are no JSON.

    Attributes:
        source: Writes the input.
        admin: Asks the broker.
    """

    def __init__(
        self,
        broker: Broker,
        name: Callable[[str], str],
        folder: Path,
        sections: dict[str, Any],
        *,
        num_instances: int = 1,
        reading: ReadingMaker | None = None,
        unreadable: float = 0.03,
    ) -> None:
        self.folder, self.num_instances = folder, num_instances
        self.kafka = KafkaConfig(bootstrap_servers=broker.bootstrap_servers)
        self.app, self.topic = name("app"), name("events")
        self._outputs = OutputsConfig(journal_partitions=num_instances)
        own: dict[str, Any] = {
            "app": {"name": self.app, "state_dir": str(self.state_dir())},
            "kafka": {"bootstrap_servers": broker.bootstrap_servers, **sections.get("kafka", {})},
            "input": {"topic": self.topic},
            "outputs": {"journal_partitions": num_instances},
            "telemetry": {"port": 0},
        }
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "config.yaml"
        self.config.write_text(json.dumps({**sections, **own}))
        self._input = reading, unreadable
        self._numbers = itertools.count()
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        """Make the topics, and hold one connection to each side."""
        self.admin = Admin(client_settings(self.kafka))
        self._opened.callback(self.admin.close)
        self.admin.create(self.topic, NUM_PARTITIONS)
        self.admin.ensure_outputs(self.app, NUM_PARTITIONS, self._outputs)
        reading, unreadable = self._input
        source = InputSource(
            self.kafka.bootstrap_servers, self.topic, reading=reading, unreadable=unreadable
        )
        self.source = self._opened.enter_context(source)
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def num_produced(self) -> int:
        """Messages of all partitions."""
        return len(self.source.inputs)

    def auditor(self) -> Auditor:
        """Somebody who counts the results."""
        return Auditor(self.kafka.bootstrap_servers, self.app, self.topic, self.source.inputs)

    @contextmanager
    def kept_behind(self, worker: Worker) -> Iterator[None]:
        """So much input waits that a daemon never waits for any while the body runs.

        It is asked itself: an auditor may be behind by as much.
        """

        def turn() -> None:
            if 0 <= worker.lag() < LAG:
                self.source.hand_over(LAG // 10)
            else:
                time.sleep(0.05)

        with repeating(turn):
            yield
        self.source.flush()

    def num_bytes_written(self) -> int:
        """Size of all output topics on the broker's disk."""
        topics = [f"{self.app}.{output}" for output in (*OUTPUTS, "journal")]
        found = self.admin.client.describe_log_dirs(topics)
        sizes = [
            p["partition_size"]
            for b in found
            for d in b["log_dirs"]
            for t in d["topics"]
            for p in t["partitions"]
        ]
        return sum(sizes)

    def state_dir(self, instance: int = 0) -> Path:
        """Where an instance keeps its state."""
        return self.folder / f"state-{instance}"

    def start(
        self,
        *overrides: str,
        instance: int = 0,
        state_dir: Path | None = None,
        entry: Sequence[str] = ENTRY,
    ) -> Worker:
        """A daemon as a process of the command line."""
        place = state_dir or self.state_dir(instance)
        settings = self._settings(overrides, instance, place)
        arguments, log_path = ("run", "-c", str(self.config), *settings), self._new_log(instance)
        return Worker(*arguments, state_dir=place, log_path=log_path, entry=entry)

    def replay(
        self, output: Path, *overrides: str, instance: int = 0, limit_s: float = 600.0
    ) -> tuple[int, bytes]:
        """Exit code and answer of a process that reproduces what an instance published."""
        arguments = ("replay", "-c", str(self.config), "--journal", "--output", str(output))
        place, log_path = self.state_dir(instance), self._new_log(instance)
        words = (*arguments, *self._settings(overrides, instance, place))
        with DaemonProcess(*words, log_path=log_path, stdout=subprocess.PIPE) as process:
            answer = process.communicate(timeout=limit_s)[0]
        return process.returncode, answer

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

    def journal(self, instance: int = 0) -> list[JournalRecord]:
        """The journal of an instance, read_committed."""
        with TopicReader(self.kafka, f"{self.app}.journal") as reader:
            messages = reader.read_to_end()
        return [decode_record(m.value or b"") for m in messages if m.partition == instance]

    def spaces(self) -> list[str]:
        """The embedding spaces, as they were announced."""
        with TopicReader(self.kafka, f"{self.app}.spaces") as reader:
            values = [json.loads(m.value or b"") for m in reader.read_to_end()]
        return [str(value["space"]) for value in values if value["kind"] == "space"]

    def member_id(self, instance: int) -> str | None:
        """The id under which an instance is in the group."""
        return self.admin.member_id(self.app, f"{self.app}-{instance}")

    def checkpoints(self, instance: int = 0) -> list[Path]:
        """The checkpoints that are kept, newest first."""
        return checkpoints(self.state_dir(instance) / CHECKPOINTS)

    def lock_holder(self, instance: int = 0) -> int:
        """The process that holds the state directory, or held it last; 0 before the first."""
        lock = self.state_dir(instance) / "lock"
        return int((lock.read_text() if lock.exists() else "") or 0)

    def told(self) -> str:
        """The end of what the processes logged, the newest last."""
        logs = sorted(self.folder.glob("log-*"), key=lambda path: path.stat().st_mtime)
        return "\n".join(path.read_text()[-2_000:] for path in logs[-3:])

    def _new_log(self, instance: int) -> Path:
        return self.folder / f"log-{next(self._numbers):04d}-{instance}"

    def _settings(self, overrides: Sequence[str], instance: int, state_dir: Path) -> list[str]:
        own = (f"app.instance={instance}", f"app.state_dir={state_dir}")
        return [word for override in (*own, *overrides) for word in ("--set", override)]
