"""A whole daemon on a real Kafka: what probes and metrics say while something is away."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamssl.config.root import Config
from streamssl.devkit.broker import DevBroker
from streamssl.devkit.clients import TopicWriter, create_topic
from streamssl.devkit.daemon import DaemonProcess

pytestmark = pytest.mark.kafka
NUM_EVENTS = 60
PROCESSES = ("engine", "learner")


@pytest.fixture(scope="module")
def broker() -> Iterator[DevBroker]:
    """A broker of our own, which a test may end."""
    with DevBroker() as broker:
        yield broker


@pytest.fixture
def daemon(
    broker: DevBroker, tmp_path: Path, unique_name: Callable[[str], str]
) -> Iterator[DaemonProcess]:
    """A daemon that has scored some events, and to which no more come."""
    name = unique_name("ops")
    config = Config.model_validate(
        {
            "app": {"name": name, "state_dir": str(tmp_path / "state")},
            "kafka": {"bootstrap_servers": broker.bootstrap_servers},
            "input": {"topic": f"{name}-in"},
        }
    )
    create_topic(config.kafka, config.input.topic, 1)
    with TopicWriter(config.kafka, config.input.topic) as writer:
        for number in range(NUM_EVENTS):
            writer.send(json.dumps({"a": number % 7, "b": number % 5}).encode(), key=b"m")
        writer.flush()
    with DaemonProcess.from_config(config, tmp_path) as process:
        until(lambda: process.figure("input_events_total", outcome="scored") == NUM_EVENTS, process)
        yield process


def until(condition: Callable[[], bool], process: DaemonProcess, limit_s: float = 90.0) -> None:
    """Wait for it, and say what the daemon said where it does not come."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, process.log_tail()
        time.sleep(0.05)


def test_a_broker_that_is_away_shows_in_the_metrics(
    daemon: DaemonProcess, broker: DevBroker
) -> None:
    """Not ready, not reachable, lag unknown, the last commit long ago; and back as before.

    Two SIGTERMs within a second, at the end, are one: it drains.
    """
    assert daemon.figure("ready") == daemon.figure("broker_reachable") == 1
    until(lambda: daemon.figure("input_lag_records", math.nan, partition="0") == 0, daemon)
    assert {daemon.figure("resident_memory_bytes", process=p) > 2**20 for p in PROCESSES} == {True}
    broker.kill()
    try:
        until(lambda: not daemon.is_ready(), daemon)
        assert daemon.figure("ready", 1.0) == daemon.figure("broker_reachable", 1.0) == 0
        assert math.isnan(daemon.figure("input_lag_records", partition="0"))
        age_s = daemon.figure("commit_age_seconds")
        until(lambda: daemon.figure("commit_age_seconds") > age_s + 2.0, daemon)
        assert daemon.probe("/livez")[0] == 200
    finally:
        broker.restart()
    until(daemon.is_ready, daemon)
    until(lambda: daemon.figure("input_lag_records", math.nan, partition="0") == 0, daemon)
    assert daemon.figure("ready") == daemon.figure("broker_reachable") == 1
    for _ in range(2):
        daemon.terminate()
    assert daemon.wait(60.0) == 0, daemon.log_tail()


def test_a_dead_learner_is_noticed_while_no_input_comes(daemon: DaemonProcess) -> None:
    """The daemon ends by itself, and says that and how the learner's process ended."""
    os.kill(learner_of(daemon), signal.SIGKILL)
    assert daemon.wait(60.0) == 1
    assert "the learner's process has ended (SIGKILL)" in daemon.log_tail()


def learner_of(daemon: DaemonProcess) -> int:
    """Process id of the learner's process, the daemon's only child."""
    (child,) = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    return int(child)
