"""The part `latency`: from append to readable, at half and less of the rate of a backlog.

A producer in its own process sends at a steady pace; a `read_committed` reader notes when each
result could be read. Both moments are of one clock: the broker's append time of the input record,
and the reader's time right after the poll that gave the result.

N = events.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from benchmarks.speed.bed import Bed
from benchmarks.speed.daemon import MeasuredDaemon
from benchmarks.speed.ours import Ours, ours_config
from benchmarks.speed.pacer import Pace
from benchmarks.speed.plan import NUM_CHANNELS, NUM_KEYS, Say
from benchmarks.speed.results import Latency, Quantiles
from benchmarks.speed.scrapes import Scrape
from benchmarks.speed.waits import (
    Observed,
    burst_spans,
    checkpoint_spans,
    during,
    match,
    quantiles,
)
from streamssl.config.sections import LearnConfig
from streamssl.devkit.clients import TopicReader

# What part of the rate is offered beside half of it.
LIGHTER = (4, 8)
# Often enough that several fall into the window.
CHECKPOINT_EVERY_S = 10
# An epoch is a sixteenth of the events before it, up to `learn.every`.
FULL_GROWN = 16 * LearnConfig().every
_PRIMER_EVENTS = 64
_GRACE_S = 30.0
_READ_EVERY_S = 0.25


class Watching(threading.Thread):
    """Reads the daemon's figures four times a second, until `stop`."""

    def __init__(self, daemon: MeasuredDaemon) -> None:
        super().__init__(name="figures", daemon=True)
        self._daemon = daemon
        self._stopped = threading.Event()
        self.scrapes: list[Scrape] = []

    def run(self) -> None:
        """Keep every scrape that the daemon gives, until `stop`."""
        while not self._stopped.wait(_READ_EVERY_S):
            scrape = self._daemon.scrape()
            self.scrapes += [scrape] if scrape else []

    def stop(self) -> None:
        """Read no more, and wait until the last scrape is kept."""
        self._stopped.set()
        self.join()


@dataclass(frozen=True)
class Offered:
    """What became of events that were sent at a pace."""

    pace: Pace
    observed: Observed
    scrapes: list[Scrape]


def measure_latency(bed: Bed, json_per_s: float, say: Say) -> Latency:
    """Offer shares of `json_per_s`, half of it first, to a fresh daemon each; time every result."""
    half = _offer(bed, json_per_s / 2, say)
    lighter = [_offer(bed, json_per_s / parts, say) for parts in LIGHTER]
    return _summary(half, lighter, json_per_s, bed.plan.config().learn.burst_steps)


def _offer(bed: Bed, per_s: float, say: Say) -> Offered:
    say(f"latency at {per_s:,.0f} events/s for {bed.plan.latency_s:.0f} s")
    pace = Pace(
        bootstrap=bed.bootstrap_servers,
        topic=bed.topic(bed.name("paced")),
        events=int(per_s * bed.plan.latency_s),
        per_s=per_s,
        channels=NUM_CHANNELS,
        keys=NUM_KEYS,
        seed=bed.plan.seed,
    )
    every = f"checkpoint.every_s={CHECKPOINT_EVERY_S}"
    config = ours_config(bed, Ours("paced", ""), every, topic=pace.topic)
    scores = bed.topic(f"{config.app.name}.scores")
    with (
        MeasuredDaemon.from_config(config, bed.folder) as daemon,
        TopicReader(bed.kafka, scores) as reader,
    ):
        _prime(daemon, pace)
        receipts = _read(reader, _PRIMER_EVENTS, lambda: True)
        watching = Watching(daemon)
        watching.start()
        receipts += _pace_and_read(reader, pace)
        watching.stop()
    return Offered(pace, match(bed.read(pace.topic), receipts, _PRIMER_EVENTS), watching.scrapes)


def _summary(half: Offered, lighter: list[Offered], json_per_s: float, burst_steps: int) -> Latency:
    observed, scrapes = half.observed, half.scrapes
    checkpoints = checkpoint_spans(scrapes)
    burst_N = during(observed, burst_spans(scrapes, burst_steps))
    saving_N = during(observed, checkpoints)
    grown_N = np.arange(len(observed.append_N)) >= FULL_GROWN
    length_s = float(np.ptp(observed.append_N)) if len(observed.append_N) else 0.0
    return Latency(
        offered_per_s=half.pace.per_s,
        of_per_s=json_per_s,
        seconds=length_s,
        quantiles=[
            _of_all("all events", observed),
            quantiles("while a checkpoint is written", observed, saving_N),
            quantiles("while the first training burst lasts", observed, burst_N),
            quantiles("otherwise", observed, ~saving_N & ~burst_N),
            quantiles(f"from event {FULL_GROWN:,} on: epochs full-grown", observed, grown_N),
        ],
        lighter=[
            _of_all(f"all events, {other.pace.per_s:,.0f}/s offered", other.observed)
            for other in lighter
        ],
        checkpoints=len(checkpoints),
        steps=int(scrapes[-1].total("learn_steps_total", outcome="applied")) if scrapes else 0,
        counted=len(observed.append_N),
        expected=half.pace.events,
    )


def _of_all(name: str, observed: Observed) -> Quantiles:
    return quantiles(name, observed, np.ones(len(observed.append_N), bool))


def _prime(daemon: MeasuredDaemon, pace: Pace) -> None:
    """A few events before the window, so that joining the group is not in it."""
    pacing = _start(msgspec.structs.replace(pace, events=_PRIMER_EVENTS, per_s=1e4, seed=7))
    pacing.wait()
    daemon.scrape_until(_PRIMER_EVENTS, _GRACE_S + 30.0)


def _pace_and_read(reader: TopicReader, pace: Pace) -> list[tuple[int, float]]:
    pacing = _start(pace)
    return _read(reader, pace.events, lambda: pacing.poll() is None)


def _start(pace: Pace) -> subprocess.Popen[bytes]:
    words = ["-m", "benchmarks.speed.pacer", msgspec.json.encode(pace).decode()]
    return subprocess.Popen([sys.executable, *words], stdin=subprocess.DEVNULL)  # noqa: S603 our own


def _read(
    reader: TopicReader, num_events: int, going: Callable[[], bool]
) -> list[tuple[int, float]]:
    """Partition and moment of so many results; gives up when nothing comes for long."""
    receipts: list[tuple[int, float]] = []
    last_s = time.monotonic()
    while len(receipts) < num_events and (going() or time.monotonic() - last_s < _GRACE_S):
        found = reader.poll(0.05)
        now_s = time.time()
        for _, messages in found:
            receipts += [(message.partition, now_s) for message in messages]
            last_s = time.monotonic()
    return receipts
