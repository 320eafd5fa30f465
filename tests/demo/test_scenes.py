"""The demo from end to end: in memory, and on a real Kafka with the daemon as a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from streamssl.demo.demos import DEFAULT_CONFIG
from streamssl.demo.kafka_scene import KafkaScene
from streamssl.demo.memory_scene import MemoryScene
from streamssl.demo.report import DemoReport
from streamssl.demo.runner import DemoRun
from streamssl.demo.scene import Scene
from streamssl.demo.sensor.plant import PlantSettings
from streamssl.demo.sensor.stream import SensorScript
from streamssl.demo.view import LineView
from streamssl.devkit.delivery import DeliveryLog
from tests.conftest import RunningBroker

RATE, NUM_MACHINES, HISTORY_S, LIVE_S = 200.0, 4, 3.0, 2.0


def played(scene: Scene, log: DeliveryLog) -> DemoReport:
    settings = PlantSettings(num_machines=NUM_MACHINES, rate=RATE, history_s=HISTORY_S)
    script = SensorScript(origin=time.time(), live_s=LIVE_S, settings=settings)
    lines: list[str] = []
    run = DemoRun(scene=scene, script=script, log=log, view=LineView(lines.append), live_s=LIVE_S)
    outcome = run.run()
    assert outcome.error is None, lines
    return outcome.report


def test_every_event_comes_back_once_in_memory() -> None:
    """Without a broker the whole demo still runs, and says what it cannot know."""
    log = DeliveryLog()
    scene = MemoryScene(DEFAULT_CONFIG, log.produced)
    try:
        report = played(scene, log)
    finally:
        scene.close()
    assert report.events_produced == round(RATE * (HISTORY_S + LIVE_S))
    assert report.events_scored == report.events_produced
    assert log.counter.num_lost() == log.counter.num_repeated == 0
    assert report.broker is None
    assert report.events_lost is None


@pytest.mark.kafka
def test_every_event_comes_back_once_from_a_real_kafka(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Nothing lost, nothing doubled, as an independent reader of committed records counts."""
    config = yaml.safe_load(DEFAULT_CONFIG.read_text())
    config["app"]["name"] = unique_name("demo")
    config["input"]["topic"] = unique_name("demo-events")
    path = tmp_path / "demo.yaml"
    path.write_text(yaml.safe_dump(config))
    log = DeliveryLog()
    with KafkaScene(path, log.produced, kafka_broker.bootstrap_servers) as scene:
        report = played(scene, log)
    assert report.events_produced == round(RATE * (HISTORY_S + LIVE_S))
    assert report.events_scored == report.events_produced
    assert (report.events_lost, report.events_duplicated, report.dead_letters) == (0, 0, 0)
    assert report.latency_p50_s is not None
    assert report.latency_p50_s > 0.0
