"""Output that is slower than input: what is held back, and what is thinned."""

from __future__ import annotations

import time

import psutil

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE, REPLAY
from benchmarks.chaos.ledger import NUM_PARTITIONS
from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.replays import compare_with_replay
from benchmarks.chaos.settings import NUM_CHANNELS, SMALL
from benchmarks.chaos.site import Site
from benchmarks.chaos.worker import until
from streamssl.transport.journal import JournalRecord

LIMIT_S = 900.0
# Messages that wait in the process are bounded by 32 MiB, and the allocator keeps what they took.
MOST_GROWTH_MB = 100.0
FULL_SPEED_S = 6.0
THIN_ABOVE_LAG = 500


def slow_output(form: Form, site: Site) -> Outcome:
    """The broker takes a tenth of what it took: memory stays flat, the group keeps the worker."""
    outcome = Outcome()
    with (
        site.own_broker() as broker,
        site.deployment({}, broker=broker, num_channels=NUM_CHANNELS) as deployment,
        deployment.auditor() as auditor,
    ):
        deployment.source.produce(round(1_500 * (2 * FULL_SPEED_S + form.slow_s)))
        with deployment.start() as worker:
            process = psutil.Process(worker.pid)
            until(lambda: worker.num_held() == NUM_PARTITIONS, 60)
            auditor.wait_for_more(60, 5_000)
            full, num_bytes = _rate(auditor, FULL_SPEED_S)
            member, rss = deployment.member_id(0), process.memory_info().rss
            with broker.slow_writes(num_bytes / 10):
                slow, _ = _rate(auditor, form.slow_s)
                grew = (process.memory_info().rss - rss) / 1e6
                kept = deployment.member_id(0) == member
                behind = deployment.num_produced - auditor.num_seen()
            auditor.wait_for_all(LIMIT_S)
            kept = kept and deployment.member_id(0) == member
            code, _ = worker.drain()
        verdict = auditor.verdict()
    outcome.did = f"{form.slow_s:.0f} s of a broker that takes {num_bytes / 10:,.0f} bytes/s"
    told = f"{slow:,.0f} instead of {full:,.0f} results/s, {behind:,} messages wait in the topic"
    outcome.expect("the output is slower, and input waits in the topic", slow < full / 3, told)
    text = f"memory grows by less than {MOST_GROWTH_MB:.0f} MB"
    outcome.expect(text, grew < MOST_GROWTH_MB, f"{grew:.0f} MB")
    outcome.expect("nobody is evicted from the group", kept and code == 0, f"exit {code}")
    outcome.expect(EXACTLY_ONCE, verdict.exact, verdict)
    return outcome


def lag(form: Form, site: Site) -> Outcome:
    """Far behind, it learns less before it scores less; caught up, it learns as before."""
    outcome = Outcome(f"{form.backlog:,} messages behind, `learn.thin_above_lag: {THIN_ABOVE_LAG}`")
    learn = {**SMALL["learn"], "thin_above_lag": THIN_ABOVE_LAG}
    sections = {**SMALL, "learn": learn, "delivery": {}}
    with site.deployment(sections) as deployment, deployment.auditor() as auditor:
        deployment.source.produce(form.backlog)
        with deployment.start() as worker:
            caught_up_s = auditor.wait_for_all(LIMIT_S)
            before = len(deployment.journal())
            with deployment.source.streaming(60):
                time.sleep(5)
            auditor.wait_for_all(LIMIT_S)
            code, _ = worker.drain()
        verdict, comparison = auditor.verdict(), compare_with_replay(deployment)
        journal = deployment.journal()
    behind, after = _rates(journal[:before]), _rates(journal[before + 1 :])
    told = f"rates {min(behind):.2f} to {max(behind):.2f} in {len(behind)} epochs behind"
    thinned = min(behind) < 0.5
    outcome.expect("learning is thinned, and the journal says so", thinned, told)
    text = "it learns everything again where the lag is gone"
    outcome.expect(text, bool(after) and set(after) == {1.0}, f"{len(after)} epochs at rate 1")
    told = f"{verdict}; caught up in {caught_up_s:.0f} s, exit {code}"
    outcome.expect(EXACTLY_ONCE, verdict.exact and code == 0, told)
    outcome.expect(REPLAY, comparison.equal, comparison)
    return outcome


def _rate(auditor: Auditor, seconds: float) -> tuple[float, float]:
    """Results a second, and bytes of all outputs a second as the client counts them."""
    auditor.look()
    began_s, results, num_bytes = time.monotonic(), auditor.num_results(), auditor.num_bytes
    while time.monotonic() - began_s < seconds:
        auditor.look()
    took_s = time.monotonic() - began_s
    return (auditor.num_results() - results) / took_s, (auditor.num_bytes - num_bytes) / took_s


def _rates(journal: list[JournalRecord]) -> list[float]:
    return [d.learn_rate for record in journal for d in record.decisions().values()]
