"""One run of the demo: play, watch, drain, report."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from streamssl.data.events import StreamsslError
from streamssl.demo.incidents import IncidentBook, evaluate
from streamssl.demo.observer import Observer
from streamssl.demo.player import Player
from streamssl.demo.polling import MetricsPoller, ResultPoller
from streamssl.demo.report import DemoReport, make_report
from streamssl.demo.scene import Scene
from streamssl.demo.script import Script
from streamssl.demo.state import NAN, Phase, RunState, TrafficFigures
from streamssl.demo.view import View
from streamssl.devkit.delivery import DeliveryLog

GRACE_S = 3.0
DRAIN_S = 30.0
FIRST_SCORE_S = 120.0
QUIET_S = 1.0
SHOW_EVERY_S = 0.25
RATE_OVER_S = 5.0
RECENT_EVENTS = 500


class DemoError(StreamsslError):
    """The daemon died, or an event could not be sent."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended.

    Attributes:
        first_score_s: Seconds from the start of the run to the first result.
        error: Why it ended early, None if it did not.
    """

    report: DemoReport
    first_score_s: float
    error: DemoError | None


class DemoRun:
    """Plays a script through a scene under the eyes of a view.

    Args:
        scene: Input, daemon and output.
        script: What is played.
        log: The one that the scene tells of every event taken.
        view: Shows how it goes.
        live_s: Seconds of live play after the history; None goes on until `stop`.
    """

    def __init__(
        self,
        *,
        scene: Scene,
        script: Script,
        log: DeliveryLog,
        view: View,
        live_s: float | None,
    ) -> None:
        self._scene = scene
        self._script = script
        self._log = log
        self._view = view
        self._book = IncidentBook()
        self._observer = Observer(log, self._book)
        self._player = Player(
            script=script,
            send=scene.send,
            counter=log.counter,
            clock=time.monotonic,
            live_s=live_s,
        )
        self._results = ResultPoller(scene, self._observer, time.time)
        self._metrics = MetricsPoller(scene)
        self._stopped = threading.Event()
        self._counts: deque[tuple[float, int]] = deque()
        self._begun = time.monotonic()
        self._first_score_s = NAN

    def stop(self) -> None:
        """Play no more; what was played is drained and reported."""
        self._stopped.set()

    def run(self) -> RunOutcome:
        """The whole of it.

        1. Wait until the daemon is ready.
        2. Play until the stream ends or `stop`.
        3. Drain: until the reader has seen every event, at most 30 s.
        4. Stop the daemon in order, and read what it committed last.
        5. Count.
        """
        error: DemoError | None = None
        self._results.start()
        self._metrics.start()
        try:
            with self._view:
                self._await_daemon()
                self._play()
                self._drain()
        except DemoError as problem:
            error = problem
        self._player.stop()
        self._finish()
        return RunOutcome(self._report(), self._first_score_s, error)

    def _await_daemon(self) -> None:
        while not (self._scene.ready() or self._stopped.wait(SHOW_EVERY_S)):
            self._show("starting")

    def _play(self) -> None:
        self._player.start()
        while self._player.is_alive() and not self._stopped.wait(SHOW_EVERY_S):
            self._show("live" if self._player.live else "history")
        self._player.stop()
        self._player.join()
        self._check()

    def _drain(self) -> None:
        try:
            self._scene.flush()
        except StreamsslError as error:
            raise DemoError(str(error)) from error
        deadline = time.monotonic() + DRAIN_S
        while self._log.counter.num_lost() and time.monotonic() < deadline:
            time.sleep(SHOW_EVERY_S)
            self._show("draining")

    def _finish(self) -> None:
        self._metrics.stop()
        self._metrics.refresh()
        self._scene.stop_daemon()
        self._results.stop()
        if self._results.error is None:
            self._results.drain(QUIET_S)

    def _check(self) -> None:
        words = self._scene.last_words()
        if words is not None:
            raise DemoError(words)
        for error in (self._player.error, self._results.error):
            if error is not None:
                raise DemoError(f"{type(error).__name__}: {error}") from error
        if not self._log.counter.num_scored and time.monotonic() - self._begun > FIRST_SCORE_S:
            raise DemoError(f"no result came within {FIRST_SCORE_S:.0f} s")

    def _show(self, phase: Phase) -> None:
        self._check()
        self._view.show(self._state(phase))

    def _state(self, phase: Phase) -> RunState:
        now = time.monotonic() - self._begun
        incidents = self._book.incidents()
        return RunState(
            phase=phase,
            elapsed_s=now,
            traffic=self._traffic(now),
            daemon=self._metrics.figures,
            origin=self._script.origin,
            stream_time=self._observer.stream_time,
            grace_s=GRACE_S,
            incidents=tuple(incidents),
            evaluation=evaluate(list(self._script.faults), incidents, GRACE_S),
        )

    def _traffic(self, now: float) -> TrafficFigures:
        scored = self._log.counter.num_scored
        if scored and np.isnan(self._first_score_s):
            self._first_score_s = now
        latencies = self._log.latencies(RECENT_EVENTS)
        p50, p99 = np.quantile(latencies, [0.5, 0.99]) if len(latencies) else (NAN, NAN)
        return TrafficFigures(
            produced=len(self._log.counter.inputs),
            scored=scored,
            per_s=self._rate(now, scored),
            latency_p50_s=float(p50),
            latency_p99_s=float(p99),
        )

    def _rate(self, now: float, scored: int) -> float:
        self._counts.append((now, scored))
        while now - self._counts[0][0] > RATE_OVER_S:
            self._counts.popleft()
        then, before = self._counts[0]
        return (scored - before) / (now - then) if now > then else NAN

    def _report(self) -> DemoReport:
        return make_report(
            broker=self._scene.broker,
            log=self._log,
            book=self._book,
            faults=self._script.faults,
            grace_s=GRACE_S,
            learn_steps=int(self._metrics.figures.learn_steps),
            produced_until=self._player.produced_until,
        )
