"""A run from its first event to its report, with everything that may go wrong on the way."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from streamssl.data.events import StreamsslError
from streamssl.demo import play as entry
from streamssl.demo import runner
from streamssl.demo.demos import DEMOS
from streamssl.demo.player import MAX_AHEAD, Player
from streamssl.demo.runner import DemoRun, RunOutcome
from streamssl.demo.sensor.plant import PlantSettings
from streamssl.demo.sensor.stream import SensorScript
from streamssl.demo.view import LineView
from streamssl.devkit.delivery import DeliveryLog
from tests.demo.echo import EchoScene

RATE, HISTORY_S, LIVE_S = 400.0, 1.0, 0.5
NUM_EVENTS = round(RATE * (HISTORY_S + LIVE_S))


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "DRAIN_S", 0.5)
    monkeypatch.setattr(runner, "QUIET_S", 0.1)
    monkeypatch.setattr(runner, "SHOW_EVERY_S", 0.05)


def a_script(live_s: float | None = LIVE_S) -> SensorScript:
    settings = PlantSettings(num_machines=4, rate=RATE, history_s=HISTORY_S)
    return SensorScript(origin=time.time(), live_s=live_s, settings=settings)


def played(
    scene: EchoScene, log: DeliveryLog, live_s: float | None = LIVE_S, stop_after_s: float = 60.0
) -> tuple[RunOutcome, list[str]]:
    lines: list[str] = []
    run = DemoRun(
        scene=scene,
        script=a_script(live_s),
        log=log,
        view=LineView(lines.append),
        live_s=live_s,
    )
    timer = threading.Timer(stop_after_s, run.stop)
    timer.start()
    try:
        return run.run(), lines
    finally:
        timer.cancel()


def test_whole_run_counts_everything_once() -> None:
    """Every event of history and live part is produced and comes back, the daemon is stopped."""
    log = DeliveryLog()
    scene = EchoScene(log.produced)
    outcome, lines = played(scene, log)
    report = outcome.report
    assert outcome.error is None
    assert (report.events_produced, report.events_scored) == (NUM_EVENTS, NUM_EVENTS)
    assert (report.events_lost, report.events_duplicated, report.dead_letters) == (0, 0, 0)
    assert report.learn_steps == 12
    assert scene.stopped
    assert report.latency_p50_s is not None
    assert 0.0 <= report.latency_p50_s < 1.0
    assert lines


def test_lost_repeated_and_dead_events_show_in_the_report() -> None:
    """The drain waits no longer than stated, then counts what is missing."""
    log = DeliveryLog()
    scene = EchoScene(
        log.produced,
        lose=frozenset({3, 400}),
        repeat=frozenset({5, NUM_EVENTS - 1}),
        dead=frozenset({7}),
    )
    report = played(scene, log)[0].report
    assert (report.events_lost, report.events_duplicated, report.dead_letters) == (2, 2, 1)
    assert report.events_scored == NUM_EVENTS - 3


def test_stop_ends_an_endless_run_in_order() -> None:
    """Ctrl-C: no more events, those sent are drained and reported."""
    log = DeliveryLog()
    outcome, _ = played(EchoScene(log.produced), log, live_s=None, stop_after_s=1.0)
    assert outcome.error is None
    assert outcome.report.events_lost == 0
    assert outcome.report.events_scored == outcome.report.events_produced > RATE * HISTORY_S


def test_dead_daemon_ends_the_run_with_its_last_words() -> None:
    """The run does not wait for a daemon that has died."""
    log = DeliveryLog()
    begun = time.monotonic()
    outcome, _ = played(EchoScene(log.produced, dies_at=100), log, live_s=60.0)
    assert str(outcome.error) == "the daemon ended with exit code 9"
    assert time.monotonic() - begun < 10.0
    assert outcome.report.events_lost


def test_history_waits_for_the_daemon() -> None:
    """The history never runs further ahead than stated, so it builds no backlog."""
    log, sent = DeliveryLog(), list[tuple[bytes, bytes]]()
    player = Player(
        script=a_script(),
        send=lambda *event: sent.append(event),
        counter=log.counter,
        clock=time.monotonic,
        live_s=LIVE_S,
    )
    player.start()
    time.sleep(0.3)
    player.stop()
    player.join()
    assert MAX_AHEAD <= len(sent) < 2 * MAX_AHEAD
    assert not player.live


def echoed(monkeypatch: pytest.MonkeyPatch, dies_at: int | None = None) -> list[EchoScene]:
    """Have the demo play a short stream into an echo; the scenes that it opens."""
    scenes: list[EchoScene] = []

    def open_scene(path: Path, acknowledged: object) -> EchoScene:
        assert path.name == "demo.yaml"
        scenes.append(EchoScene(acknowledged, dies_at=dies_at))  # type: ignore[arg-type]
        return scenes[0]

    monkeypatch.setattr(entry, "KafkaScene", open_scene)
    monkeypatch.setitem(DEMOS, "sensor", lambda **_: a_script())
    return scenes


@pytest.mark.parametrize(("dies_at", "code"), [(None, 0), (10, 1)])
def test_command_reports_cleans_up_and_tells_by_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dies_at: int | None, code: int
) -> None:
    """0 when the run came to its end, 1 when the daemon died; the scene is closed either way."""
    scenes = echoed(monkeypatch, dies_at)
    console = Console(record=True, width=200, force_terminal=False)
    path = tmp_path / "report.json"
    assert entry.play(console=console, duration_s=LIVE_S, report_path=path) == code
    assert scenes[0].closed
    assert json.loads(path.read_text())["broker"] == "echo"
    assert ("exit code 9" in console.export_text()) is (code == 1)


def test_report_without_a_place_is_refused_before_anything_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such folder, or a folder of that name: a usage error at once, not after the run."""
    scenes = echoed(monkeypatch)
    for path, reason in ((tmp_path / "none" / "r.json", "no such folder"), (tmp_path, "a folder")):
        with pytest.raises(StreamsslError, match=reason) as caught:
            entry.play(console=Console(quiet=True), duration_s=LIVE_S, report_path=path)
        assert caught.value.exit_code == 2
    assert scenes == []


def test_report_whose_place_vanishes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system refuses at the end is an error of the user's, after the summary."""
    folder = tmp_path / "folder"
    folder.mkdir()
    scenes = echoed(monkeypatch)
    monkeypatch.setattr(EchoScene, "close", lambda _: folder.rmdir())
    console = Console(record=True, width=200, force_terminal=False)
    with pytest.raises(StreamsslError, match=r"report\.json cannot be written"):
        entry.play(console=console, duration_s=LIVE_S, report_path=folder / "report.json")
    assert len(scenes) == 1
    assert "events/s" in console.export_text()
