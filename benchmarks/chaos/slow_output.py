"""Output that is slower than input: what is held back, and what is thinned."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.deployment import LAG
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE, REPLAY
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.replays import compare_with_replay
from benchmarks.chaos.settings import NUM_CHANNELS, SMALL
from benchmarks.chaos.site import Site
from benchmarks.chaos.source import NUM_PARTITIONS, channels
from benchmarks.chaos.worker import Worker, until
from streamssl.transport.journal import JournalRecord

LIMIT_S = 900.0
MOST_GROWTH_MB = 100.0
FULL_SPEED_S = 4.0
# A broker lets the bytes of its first seconds pass at once: of twenty seconds this makes a twelfth.
SLOWER = 20
# However fast the daemon is, so that of the large messages enough wait.
MOST_BYTES_PER_S = 200_000.0
# The transaction that is met by it takes some twenty times what it took, and is sent twice.
LANDS_S = 100.0
# What waits is more than the process may grow by: it has to leave it where it is.
NUM_LARGE, LARGE_BYTES = 24_000, 8_000
THIN_ABOVE_LAG = 500


def slow_output(form: Form, site: Site) -> ScenarioOutcome:
    """The broker takes a twentieth or less: memory stays flat, the group keeps the worker."""
    outcome = ScenarioOutcome()
    with (
        site.own_broker() as broker,
        site.deployment({}, broker=broker, reading=channels(NUM_CHANNELS)) as deployment,
        deployment.auditor() as auditor,
    ):
        deployment.source.produce(LAG)
        with deployment.start() as worker:
            with deployment.kept_behind(worker):
                until(lambda: worker.num_held() == NUM_PARTITIONS, LIMIT_S)
                auditor.wait_for_more(LIMIT_S, 2_000)
                written = deployment.num_bytes_written()
                full = _watch(worker, auditor, FULL_SPEED_S)
                num_bytes = (deployment.num_bytes_written() - written) / full.seconds
            member = deployment.member_id(0)
            allowed = min(num_bytes / SLOWER, MOST_BYTES_PER_S)
            with broker.slow_writes(allowed):
                deployment.source.produce(NUM_LARGE, padding=LARGE_BYTES)
                slow = _watch(worker, auditor, form.slow_s)
                kept = deployment.member_id(0) == member
                behind = min(deployment.num_produced - auditor.num_seen(), NUM_LARGE)
            auditor.wait_for_all(LIMIT_S)
            kept = kept and deployment.member_id(0) == member
            code, _ = worker.drain()
        tally = auditor.tally()
    outcome.did = f"{form.slow_s:.0f} s of a broker that takes {allowed:,.0f} bytes/s"
    waiting_mb, grew = behind * LARGE_BYTES / 1e6, slow.most_mb - full.most_mb
    told = f"{slow.per_s:,.0f} instead of {full.per_s:,.0f} results/s, {waiting_mb:.0f} MB wait"
    waits = slow.per_s < full.per_s / 5 and waiting_mb > MOST_GROWTH_MB
    outcome.expect("the output is slower, and input waits in the topic", waits, told)
    if form.slow_s > LANDS_S:
        outcome.expect("results go on", slow.per_s > 0, f"{slow.per_s:,.1f}/s")
    text = f"memory of both processes grows by less than {MOST_GROWTH_MB:.0f} MB meanwhile"
    outcome.expect(text, grew < MOST_GROWTH_MB, f"{grew:.0f} MB")
    outcome.expect("nobody is evicted from the group", kept and code == 0, f"exit {code}")
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    return outcome


def lag(form: Form, site: Site) -> ScenarioOutcome:
    """Far behind, it learns less before it scores less; caught up, it learns as before."""
    outcome = ScenarioOutcome(
        f"{form.backlog:,} messages behind, `learn.thin_above_lag: {THIN_ABOVE_LAG}`"
    )
    learn = {**SMALL["learn"], "thin_above_lag": THIN_ABOVE_LAG}
    sections = {**SMALL, "learn": learn, "delivery": {}}
    with site.deployment(sections) as deployment, deployment.auditor() as auditor:
        deployment.source.produce(form.backlog)
        with deployment.start() as worker:
            caught_up_s = auditor.wait_for_all(LIMIT_S)
            before = len(deployment.journal())
            with deployment.source.streaming(60):
                time.sleep(3)
            auditor.wait_for_all(LIMIT_S)
            code, _ = worker.drain()
        tally, comparison = auditor.tally(), compare_with_replay(deployment)
        journal = deployment.journal()
    behind, after = _rates(journal[:before]), _rates(journal[before + 1 :])
    told = f"rates {min(behind):.2f} to {max(behind):.2f} in {len(behind)} epochs behind"
    thinned = min(behind) < 0.5
    outcome.expect("learning is thinned, and the journal says so", thinned, told)
    text = "it learns everything again where the lag is gone"
    outcome.expect(text, bool(after) and set(after) == {1.0}, f"{len(after)} epochs at rate 1")
    told = f"{tally}; caught up in {caught_up_s:.0f} s, exit {code}"
    outcome.expect(EXACTLY_ONCE, tally.exact and code == 0, told)
    outcome.expect(REPLAY, comparison.equal, comparison)
    return outcome


@dataclass(frozen=True)
class OutputPace:
    """How a daemon went on for some time.

    Attributes:
        seconds: How long.
        per_s: Results a second.
        most_mb: Its memory at its most.
    """

    seconds: float
    per_s: float
    most_mb: float


def _watch(worker: Worker, auditor: Auditor, seconds: float) -> OutputPace:
    auditor.look()
    began, results = worker.vitals(), auditor.num_results()
    now, most_mb = began, began.memory_mb
    while now.at_s - began.at_s < seconds:
        auditor.look()
        now = worker.vitals()
        most_mb = max(most_mb, now.memory_mb)
    took_s = now.at_s - began.at_s
    return OutputPace(took_s, (auditor.num_results() - results) / took_s, most_mb)


def _rates(journal: list[JournalRecord]) -> list[float]:
    return [d.learn_rate for record in journal for d in record.decisions().values()]
