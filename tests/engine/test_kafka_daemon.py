"""The daemon as a process on a real Kafka: killed, drained, replayed from outside."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamssl.config.sections import KafkaConfig
from streamssl.engine.replay import Reproduction
from streamssl.transport.kafka.client import TopicReader, TopicWriter, create_topic
from tests.conftest import RunningBroker
from tests.engine.test_whole import SMALL

COMMAND = "from streamssl.cli.app import main; main()"
NUM_PARTITIONS = 4
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


class Deployment:
    """One instance of one application on a topic of its own."""

    def __init__(self, broker: RunningBroker, name: Callable[[str], str], folder: Path) -> None:
        self.folder = folder
        self.kafka = KafkaConfig(bootstrap_servers=broker.bootstrap_servers)
        self.topic, self.app = name("events"), name("app")
        create_topic(self.kafka, self.topic, NUM_PARTITIONS)
        sections: dict[str, Any] = {
            **SMALL,
            "app": {"name": self.app, "state_dir": str(folder / "state")},
            "kafka": {"bootstrap_servers": broker.bootstrap_servers},
            "input": {"topic": self.topic},
            "learn": {**SMALL["learn"], "max_wait_s": 0.5},
            "telemetry": {"port": 0},
        }
        self.config = folder / "config.yaml"
        self.config.write_text(json.dumps(sections))

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A process of the command line."""
        log = (self.folder / "log").open("ab")
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *(arguments or ("run", "-c", str(self.config)))],
            stdout=subprocess.PIPE if arguments else log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def produce(self, num_messages: int, seed: int) -> None:
        """Append readings of eight machines, a few of them unreadable."""
        rng = random.Random(seed)
        with TopicWriter(self.kafka, self.topic) as writer:
            for i in range(num_messages):
                values = {name: round(rng.gauss(0, 1), 4) for name in ("a", "b", "c")}
                value = b"{" if i % 50 == 49 else json.dumps(values).encode()
                machine = rng.randrange(8)
                writer.send(value, key=b"m%d" % machine, partition=machine % NUM_PARTITIONS)
            writer.flush()

    def read(self, output: str) -> list[tuple[int, bytes]]:
        """What a read_committed subscriber sees, by partition and offset."""
        with TopicReader(self.kafka, f"{self.app}.{output}") as reader:
            return [(m.partition, m.value or b"") for m in reader.read_to_end()]

    def drain_after(self, num_results: int) -> None:
        """Run a process until so many results and dead letters are published, and drain it."""
        process = self.start()
        try:
            self.wait_for(num_results)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()

    def wait_for(self, num_results: int, timeout_s: float = 90.0) -> None:
        """Wait until so many results and dead letters are published."""
        until = time.monotonic() + timeout_s
        time.sleep(8.0)  # the first start makes the topics
        while (found := len(self.read("scores")) + len(self.read("dlq"))) < num_results:
            log = (self.folder / "log").read_text()
            assert time.monotonic() < until, f"{found} of {num_results}: {log[-4_000:]}"
            time.sleep(1.0)


def test_kills_lose_and_double_nothing_and_the_replay_is_equal(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Killed with -9 at ten moments: each input once, and another process gets the same bytes."""
    deployment, rng = Deployment(kafka_broker, unique_name, tmp_path), random.Random(7)
    for i in range(10):
        deployment.produce(300, seed=i)
        process = deployment.start()
        time.sleep(rng.uniform(3.0, 6.0))
        process.kill()
        process.wait()
    deployment.drain_after(3_000)
    scores = deployment.read("scores")
    ids = Counter(json.loads(value)["id"] for _, value in scores)
    assert max(ids.values()) == 1
    assert len(ids) == 3_000 - 60
    assert len(deployment.read("dlq")) == 60
    spaces = [json.loads(value)["space"] for _, value in deployment.read("spaces")]
    assert spaces == ["0/provisional", "0/space-1"]
    output = tmp_path / "again.jsonl"
    replay = deployment.start(
        "replay", "-c", str(deployment.config), "--journal", "--output", str(output)
    )
    told = replay.communicate(timeout=120)[0]
    assert replay.returncode == 0, told
    found = Reproduction(**json.loads(told))
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    again = [
        (line["partition"], line["value"].encode())
        for line in lines
        if line["topic"].endswith(".scores")
    ]
    for partition in range(NUM_PARTITIONS):  # all, or all since the oldest checkpoint kept
        ours = [value for p, value in again if p == partition]
        theirs = [value for p, value in scores if p == partition]
        assert len(ours) > 0
        assert ours == theirs[-len(ours) :]
    assert found.events == len(again)
    assert found.differing_epochs == []


def test_a_drain_ends_with_0_and_a_checkpoint(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """SIGTERM: exit 0 within 20 s, everything committed, a checkpoint on the disk."""
    deployment = Deployment(kafka_broker, unique_name, tmp_path)
    deployment.produce(300, seed=1)
    deployment.drain_after(300)
    assert any((tmp_path / "state" / "checkpoints").iterdir())
