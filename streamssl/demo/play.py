"""The demo from its first line to its last: find a broker, run, sum up, clean up."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from streamssl.demo.demos import DEFAULT_CONFIG, DEMOS
from streamssl.demo.kafka_scene import KafkaScene
from streamssl.demo.memory_scene import MemoryScene
from streamssl.demo.report import DemoReport
from streamssl.demo.runner import GRACE_S, DemoRun, RunOutcome
from streamssl.demo.scene import Scene
from streamssl.demo.script import Script
from streamssl.demo.settings import demo_config, explain
from streamssl.demo.view import LineView, ScreenView, figure
from streamssl.devkit.broker import BrokerUnavailableError
from streamssl.devkit.delivery import DeliveryLog
from streamssl.engine.signals import RepeatFilter
from streamssl.transport.files.formats import check_place
from streamssl.transport.files.writers import writing

Handler = Callable[[int, FrameType | None], Any] | signal.Handlers


def play(
    *,
    console: Console,
    config_path: Path | None = None,
    duration_s: float | None = None,
    report_path: Path | None = None,
    seed: int = 0,
) -> int:
    """Run the demo and return its exit code.

    Args:
        console: Where to show it: live on a terminal, else in plain lines.
        config_path: The daemon's configuration, the package's own by default; what is taken from
            another one is told.
        duration_s: Seconds of live play; None plays until Ctrl-C.
        report_path: Where to write the report.
        seed: Of stream and faults.

    Returns:
        0 when the run came to its end, 1 when the daemon died.

    Raises:
        ConfigError: The configuration cannot be used; nothing was begun.
        InputFileError: The report has no place where it can be written; nothing was begun.
        OutputFileError: The report could not be written after all.
    """
    path = config_path or DEFAULT_CONFIG
    opener = DEMOS[demo_config(path).modality.kind]
    if report_path is not None:
        check_place(report_path)
    for line in explain(path) if config_path is not None else ():
        _lines(console)(line)
    begun = time.monotonic()
    log = DeliveryLog()
    with _on_signal(signal.default_int_handler):
        scene = _set_up(console, path, log)
        try:
            script = opener(origin=time.time(), seed=seed, live_s=duration_s, grace_s=GRACE_S)
            outcome = _run(console, scene, log, script, duration_s)
        finally:
            with _on_signal(signal.SIG_IGN):  # It takes seconds; nothing may be left behind.
                scene.close()
    _sum_up(console, outcome, time.monotonic() - begun)
    if report_path is not None:
        with writing(report_path):
            outcome.report.write(report_path)
    return 1 if outcome.error else 0


def _set_up(console: Console, config_path: Path, log: DeliveryLog) -> Scene:
    write = _lines(console)
    write("starting Apache Kafka on loopback, and the daemon ...")
    try:
        scene: Scene = KafkaScene(config_path, log.produced)
    except BrokerUnavailableError as error:
        write(f"no Kafka: {error}")
        write(
            "going on in memory, the engine in this process; figures that only a broker can "
            "give stay null"
        )
        scene = MemoryScene(config_path, log.produced)
    write(f"playing into {scene.broker or 'memory'}")
    return scene


def _run(
    console: Console, scene: Scene, log: DeliveryLog, script: Script, live_s: float | None
) -> RunOutcome:
    view = ScreenView(console) if console.is_terminal else LineView(_lines(console))
    run = DemoRun(scene=scene, script=script, log=log, view=view, live_s=live_s)
    with _on_signal(_stop_first(run.stop)):
        return run.run()


def _lines(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)


def _stop_first(stop: Callable[[], None]) -> Handler:
    """The first Ctrl-C (or SIGTERM) stops in order, a second wish at once."""
    is_repeat, asked = RepeatFilter(), False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if is_repeat():
            return
        if asked:
            signal.default_int_handler(number, frame)
        asked = True
        stop()

    return handle


@contextmanager
def _on_signal(handler: Handler) -> Iterator[None]:
    """Have Ctrl-C and SIGTERM handled so for a while."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


def _sum_up(console: Console, outcome: RunOutcome, seconds: float) -> None:
    write = _lines(console)
    for line in _summary(outcome.report, outcome.first_score_s):
        write(line)
    write(f"ended after {seconds:.0f} s")
    if outcome.error is not None:
        write(str(outcome.error))


def _summary(report: DemoReport, first_score_s: float) -> Iterator[str]:
    def known(value: float | None, digits: int = 0, unit: str = "") -> str:
        return "unknown" if value is None else figure(value, digits, unit)

    yield (
        f"events: {report.events_produced:,} produced, {report.events_scored:,} scored, "
        f"{known(report.events_lost)} lost, {known(report.events_duplicated)} repeated, "
        f"{report.dead_letters:,} dead letters"
    )
    yield (
        f"speed: {report.events_per_s:,.0f} events/s, latency p50 "
        f"{known(report.latency_p50_s, 3, ' s')}, p99 {known(report.latency_p99_s, 3, ' s')}, "
        f"first result after {figure(first_score_s, 1, ' s')}, {report.learn_steps:,} learn steps"
    )
    yield (
        f"faults: {report.faults_injected} injected, {report.faults_detected} caught (within "
        f"{GRACE_S:g} s of their end), {report.top_field_correct} of these with the right field "
        f"on top; {report.false_incidents} false incidents"
    )
