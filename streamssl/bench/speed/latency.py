"""The part `latency`: from append to readable, at half of the rate that a backlog is worked off at.

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
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec
import numpy as np

from streamssl.bench.speed.bed import Bed
from streamssl.bench.speed.daemon import Daemon
from streamssl.bench.speed.exposition import Reading
from streamssl.bench.speed.kafka import Ours, ours_config
from streamssl.bench.speed.pacer import Pace
from streamssl.bench.speed.plan import NUM_CHANNELS, NUM_KEYS
from streamssl.bench.speed.results import Latency, Quantiles
from streamssl.config.sections import LearnConfig
from streamssl.events import BoolArray, FloatArray, Message
from streamssl.transport.kafka.client import TopicReader

# Often enough that several fall into the window.
CHECKPOINT_EVERY_S = 10
# An epoch is a sixteenth of the events before it, up to `learn.every`.
FULL_GROWN = 16 * LearnConfig().every
_PRIMER_EVENTS = 64
_GRACE_S = 30.0
_READ_EVERY_S = 0.25
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Observed:
    """When each event was appended, and when its result could be read, in seconds."""

    append_N: FloatArray
    readable_N: FloatArray


class Watching(threading.Thread):
    """Reads the daemon's figures four times a second, until `stop`."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(name="figures", daemon=True)
        self._daemon = daemon
        self._stopped = threading.Event()
        self.readings: list[Reading] = []

    def run(self) -> None:
        """Read until `stop`."""
        while not self._stopped.wait(_READ_EVERY_S):
            reading = self._daemon.read()
            self.readings += [reading] if reading else []

    def stop(self) -> None:
        """Read no more."""
        self._stopped.set()
        self.join()


def measure_latency(bed: Bed, json_per_s: float, say: Callable[[str], None]) -> Latency:
    """Offer half of `json_per_s` and time every result."""
    per_s = json_per_s / 2
    say(f"latency at {per_s:,.0f} events/s for {bed.plan.latency_s:.0f} s")
    pace = Pace(
        bootstrap=bed.address,
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
    with Daemon(config, bed.folder) as daemon, TopicReader(bed.kafka, scores) as reader:
        _prime(daemon, pace)
        receipts = _read(reader, _PRIMER_EVENTS, lambda: True)
        watching = Watching(daemon)
        watching.start()
        receipts += _pace_and_read(reader, pace)
        watching.stop()
    observed = match(bed.read(pace.topic), receipts)
    return _summary(observed, watching.readings, pace, json_per_s)


def match(appended: Iterable[Message], receipts: list[tuple[int, float]]) -> Observed:
    """Join appends and receipts: a partition's results come in the order of its input.

    Args:
        appended: The input topic.
        receipts: Partition of each result, and when it was read, in order.
    """
    append: dict[int, list[float]] = {}
    for message in appended:
        append.setdefault(message.partition, []).append(message.timestamp_ms / 1e3)
    readable: dict[int, list[float]] = {}
    for partition, at_s in receipts:
        readable.setdefault(partition, []).append(at_s)
    pairs = [
        pair
        for partition, moments in append.items()
        for pair in zip(moments, readable.get(partition, []), strict=False)
    ]
    append_N, readable_N = np.array(sorted(pairs)).reshape(-1, 2).T
    skip = min(_PRIMER_EVENTS, len(append_N))
    return Observed(append_N[skip:], readable_N[skip:])


def checkpoint_spans(readings: Iterable[Reading]) -> list[Span]:
    """When checkpoints were written, from their moment of success and their duration."""
    spans: list[Span] = []
    before = 0.0
    for reading in readings:
        seconds = reading.total("checkpoint_duration_seconds_sum")
        if seconds > before:
            done_s = reading.total("checkpoint_last_success_timestamp_seconds")
            spans.append((done_s - (seconds - before), done_s))
        before = seconds
    return spans


def burst_spans(readings: list[Reading], steps: int) -> list[Span]:
    """From the last reading without a training step to the first with the whole burst."""
    counts = [reading.total("learn_steps_total", outcome="applied") for reading in readings]
    before = [r.at_s for r, count in zip(readings, counts, strict=True) if count == 0]
    after = [r.at_s for r, count in zip(readings, counts, strict=True) if count >= steps]
    return [(before[-1], after[0])] if before and after else []


def quantiles(name: str, observed: Observed, chosen_N: BoolArray) -> Quantiles:
    """Latencies of the chosen events, in milliseconds."""
    latency_N = 1e3 * (observed.readable_N - observed.append_N)[chosen_N]
    if not len(latency_N):
        return Quantiles(name=name, events=0, p50_ms=0.0, p99_ms=0.0, max_ms=0.0)
    p50, p99 = np.quantile(latency_N, (0.5, 0.99)).tolist()
    most = float(latency_N.max())
    return Quantiles(name=name, events=len(latency_N), p50_ms=p50, p99_ms=p99, max_ms=most)


def during(observed: Observed, spans: Iterable[Span]) -> BoolArray:
    """`[N]` whether the event waited while one of the spans lasted."""
    chosen_N = np.zeros(len(observed.append_N), bool)
    for begin, end in spans:
        chosen_N |= (observed.append_N <= end) & (observed.readable_N >= begin)
    return chosen_N


def _summary(observed: Observed, readings: list[Reading], pace: Pace, json_per_s: float) -> Latency:
    checkpoints = checkpoint_spans(readings)
    burst_N = during(observed, burst_spans(readings, steps=200))
    saving_N = during(observed, checkpoints)
    everything_N = np.ones(len(observed.append_N), bool)
    grown_N = np.arange(len(observed.append_N)) >= FULL_GROWN
    length_s = float(np.ptp(observed.append_N)) if len(observed.append_N) else 0.0
    return Latency(
        offered_per_s=pace.per_s,
        of_per_s=json_per_s,
        seconds=length_s,
        quantiles=[
            quantiles("all events", observed, everything_N),
            quantiles("while a checkpoint is written", observed, saving_N),
            quantiles("while the first training burst lasts", observed, burst_N),
            quantiles("otherwise", observed, ~saving_N & ~burst_N),
            quantiles(f"from event {FULL_GROWN:,} on: epochs full-grown", observed, grown_N),
        ],
        checkpoints=len(checkpoints),
        steps=int(readings[-1].total("learn_steps_total", outcome="applied")) if readings else 0,
        counted=len(observed.append_N),
        expected=pace.events,
    )


def _prime(daemon: Daemon, pace: Pace) -> None:
    """A few events before the window, so that joining the group is not in it."""
    pacing = _start(msgspec.structs.replace(pace, events=_PRIMER_EVENTS, per_s=1e4, seed=7))
    pacing.wait()
    daemon.read_until(_PRIMER_EVENTS, _GRACE_S + 30.0)


def _pace_and_read(reader: TopicReader, pace: Pace) -> list[tuple[int, float]]:
    pacing = _start(pace)
    return _read(reader, pace.events, lambda: pacing.poll() is None)


def _start(pace: Pace) -> subprocess.Popen[bytes]:
    words = ["-m", "streamssl.bench.speed.pacer", msgspec.json.encode(pace).decode()]
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
