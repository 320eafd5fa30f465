"""At full speed for long: nothing that a process holds may grow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np
from kafka.admin import ConfigResource

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.deployment import LAG, Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.settings import NUM_CHANNELS
from benchmarks.chaos.site import Site
from benchmarks.chaos.source import channels
from benchmarks.chaos.vitals import Vitals
from benchmarks.chaos.worker import Worker

LIMIT_S = 300.0
SAMPLE_S = 0.5
# Its stores are full by then: a reservoir of this size, networks, calibration, buffers.
RESERVOIR_BYTES = 2 * 2**20
WARM_SHARE = 0.4
# Often enough that whatever saving needs is there by then as well, and saving is in the figures.
SAVE_S = 10.0
# A slope is noise where it is within this many standard errors, or adds less than this in all: the
# allocators of two processes keep a little more for some minutes.
ERRORS, PAGES_MB = 3.0, 32.0
# Where others share the processors, source and daemon take turns: full speed all the same.
WAITS = 0.5
KEPT_BYTES = str(256 * 2**20)


def soak(form: Form, site: Site) -> ScenarioOutcome:
    """At full speed memory stays within noise, and files and threads do not grow."""
    outcome = ScenarioOutcome(f"{form.soak_s:.0f} s at full speed, {NUM_CHANNELS} channels")
    sections = {"replay": {"max_bytes": RESERVOIR_BYTES}, "checkpoint": {"every_s": SAVE_S}}
    with (
        site.deployment(sections, reading=channels(NUM_CHANNELS)) as deployment,
        deployment.auditor() as auditor,
    ):
        _bound_outputs(deployment)
        deployment.source.produce(LAG)
        with deployment.start() as worker:
            with deployment.kept_behind(worker):
                auditor.wait_for_more(LIMIT_S, 2_000)
                worker.begin_all_threads()
                begun = auditor.num_results()
                lags = list[int]()
                vitals = list(_watch(worker, auditor, form.soak_s, lags))
                rate = (auditor.num_results() - begun) / form.soak_s
            auditor.wait_for_all(LIMIT_S)
            code, _ = worker.drain()
        tally = auditor.tally()
    half = vitals[int(WARM_SHARE * len(vitals)) :]
    slope, error, grew = _slope(half)
    told = f"{slope:+.2f} ± {error:.2f} MB/min, {grew:+.1f} MB in all"
    told += f", at {half[-1].memory_mb:.0f} MB in {half[-1].processes} processes"
    flat = slope <= ERRORS * error or grew <= PAGES_MB
    outcome.expect("the slope of memory is within noise", flat, told)
    waited = float(np.mean(np.array(lags) > 0))
    outcome.expect("input waits all along", waited >= WAITS, f"{waited:.1%} of the time")
    for name in ("files", "threads"):
        first, last = _first_and_last([getattr(v, name) for v in half])
        outcome.expect(f"{name} do not grow", last <= first, f"{first}, then {last}")
    told = f"{tally}; {rate:,.0f} results/s, exit {code}"
    outcome.expect(EXACTLY_ONCE, tally.exact and code == 0, told)
    return outcome


def _bound_outputs(deployment: Deployment) -> None:
    """Half an hour of results need not stay on the disk once they are counted."""
    topics = [f"{deployment.app}.{output}" for output in ("scores", "embeddings")]
    wanted = {"retention.bytes": KEPT_BYTES}
    deployment.admin.client.alter_configs([ConfigResource("TOPIC", t, wanted) for t in topics])


def _watch(worker: Worker, auditor: Auditor, seconds: float, lags: list[int]) -> Iterator[Vitals]:
    began_s = next_s = time.monotonic()
    while (now_s := time.monotonic()) - began_s < seconds:
        auditor.look()
        if now_s >= next_s:
            next_s += SAMPLE_S
            lags.append(worker.lag())
            yield worker.vitals()


def _slope(vitals: list[Vitals]) -> tuple[float, float, float]:
    """Slope of memory (MB a minute), its standard error, and what it adds up to.

    Memory moves in steps that last, so that neighbours in time tell the same: the error is that
    of ten means.
    """
    parts = np.array_split(np.array([(v.at_s / 60, v.memory_mb) for v in vitals]), 10)
    minutes, mb = np.array([part.mean(axis=0) for part in parts]).T
    (slope, _), residuals, *_ = np.polyfit(minutes, mb, 1, full=True)
    spread = float(((minutes - minutes.mean()) ** 2).sum())
    error = float(np.sqrt(residuals.sum() / (len(parts) - 2) / spread))
    return float(slope), error, float(slope) * float(minutes[-1] - minutes[0])


def _first_and_last(held: Sequence[int]) -> tuple[int, int]:
    """The least that was held in the first fifth, and in the last: what leaks never goes back.

    What is open for a moment only, such as a checkpoint that is being written, does not count.
    """
    fifth = max(1, len(held) // 5)
    return min(held[:fifth]), min(held[-fifth:])
