"""One run of the demo: play, watch, drain, report."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from streamssl.data.events import StreamsslError
from streamssl.demo.incidents import IncidentBook, judge
from streamssl.demo.observer import Observer
from streamssl.demo.player import Player
from streamssl.demo.polling import Reading, Watching
from streamssl.demo.report import Report, make_report
from streamssl.demo.scene import Scene
from streamssl.demo.sensor.stream import DemoStream
from streamssl.demo.state import NAN, Phase, Snapshot
from streamssl.demo.view import View
from streamssl.devkit.delivery_log import DeliveryLog

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
class Outcome:
    """How a run ended.

    Attributes:
        first_score_s: Seconds from the start of the run to the first result.
        error: Why it ended early, None if it did not.
    """

    report: Report
    first_score_s: float
    error: DemoError | None


class Run:
    """Plays a stream through a scene under the eyes of a view.

    Args:
        scene: Input, daemon and output.
        stream: What is played.
        log: The one that the scene tells of every event taken.
        view: Shows how it goes.
        live_s: Seconds of live play after the history; None goes on until `stop`.
    """

    def __init__(
        self,
        *,
        scene: Scene,
        stream: DemoStream,
        log: DeliveryLog,
        view: View,
        live_s: float | None,
    ) -> None:
        self._scene = scene
        self._stream = stream
        self._log = log
        self._view = view
        self._book = IncidentBook()
        self._observer = Observer(log, self._book)
        self._player = Player(
            stream=stream,
            send=scene.send,
            counter=log.counter,
            clock=time.monotonic,
            live_s=live_s,
        )
        self._reading = Reading(scene, self._observer, time.time)
        self._watching = Watching(scene)
        self._stopped = threading.Event()
        self._counts: deque[tuple[float, int]] = deque()
        self._begun = time.monotonic()
        self._first_score_s = NAN

    def stop(self) -> None:
        """Play no more; what was played is drained and reported."""
        self._stopped.set()

    def run(self) -> Outcome:
        """The whole of it.

        1. Wait until the daemon is ready.
        2. Play until the stream ends or `stop`.
        3. Drain: until the reader has seen every event, at most 30 s.
        4. Stop the daemon in order, and read what it committed last.
        5. Count.
        """
        error: DemoError | None = None
        self._reading.start()
        self._watching.start()
        try:
            with self._view:
                self._await_daemon()
                self._play()
                self._drain()
        except DemoError as problem:
            error = problem
        self._player.stop()
        self._finish()
        return Outcome(self._report(), self._first_score_s, error)

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
        self._watching.stop()
        self._watching.refresh()
        self._scene.stop_daemon()
        self._reading.stop()
        if self._reading.error is None:
            self._reading.drain(QUIET_S)

    def _check(self) -> None:
        words = self._scene.last_words()
        if words is not None:
            raise DemoError(words)
        for error in (self._player.error, self._reading.error):
            if error is not None:
                raise DemoError(f"{type(error).__name__}: {error}") from error
        if not self._log.counter.num_scored and time.monotonic() - self._begun > FIRST_SCORE_S:
            raise DemoError(f"no result came within {FIRST_SCORE_S:.0f} s")

    def _show(self, phase: Phase) -> None:
        self._check()
        self._view.show(self._snapshot(phase))

    def _snapshot(self, phase: Phase) -> Snapshot:
        now = time.monotonic() - self._begun
        scored = self._log.counter.num_scored
        if scored and np.isnan(self._first_score_s):
            self._first_score_s = now
        latencies = self._log.latencies(RECENT_EVENTS)
        p50, p99 = np.quantile(latencies, [0.5, 0.99]) if len(latencies) else (NAN, NAN)
        incidents = self._book.incidents()
        verdict = judge(list(self._stream.faults), incidents, GRACE_S)
        return Snapshot(
            phase=phase,
            elapsed_s=now,
            events_produced=len(self._log.counter.inputs),
            events_scored=scored,
            events_per_s=self._rate(now, scored),
            latency_p50_s=float(p50),
            latency_p99_s=float(p99),
            daemon=self._watching.figures,
            origin=self._stream.origin,
            stream_time=self._observer.stream_time,
            grace_s=GRACE_S,
            judgements=verdict.judgements,
            incidents=tuple(incidents),
            false_incidents=verdict.false_incidents,
        )

    def _rate(self, now: float, scored: int) -> float:
        self._counts.append((now, scored))
        while now - self._counts[0][0] > RATE_OVER_S:
            self._counts.popleft()
        then, before = self._counts[0]
        return (scored - before) / (now - then) if now > then else NAN

    def _report(self) -> Report:
        return make_report(
            broker=self._scene.broker,
            log=self._log,
            book=self._book,
            faults=self._stream.faults,
            grace_s=GRACE_S,
            learn_steps=int(self._watching.figures.learn_steps),
            produced_until=self._player.produced_until,
        )
