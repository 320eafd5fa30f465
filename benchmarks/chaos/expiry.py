"""Input that was deleted before it could be read again, or at all."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kafka import TopicPartition

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.settings import SAVE_NEVER, SMALL
from benchmarks.chaos.site import Site
from benchmarks.chaos.worker import Worker
from streamssl.devkit.delivery import Place
from streamssl.transport.journal import JournalRecord

LIMIT_S = 240.0
_MISSED = re.compile(r"missed: (\d+) \[(\d+), (\d+)\)")


def expiry(_: Form, site: Site) -> ScenarioOutcome:
    """DeleteRecords below and above the committed offset: declared, counted, nothing else lost."""
    outcome = ScenarioOutcome(
        "DeleteRecords below the committed offset, above it, and while running"
    )
    with site.deployment(SMALL) as deployment, deployment.auditor() as auditor:
        _below(outcome, deployment, auditor)
        _above(outcome, deployment, auditor)
        tally, journal = auditor.tally(), deployment.journal()
        without = auditor.counter.unanswered()
    outcome.expect("nothing but what was deleted unread is missing", tally.exact, tally)
    declared = _missed(journal)
    told = f"{len(declared)} journalled, {len(without)} without a result"
    outcome.expect("the journal names exactly what is missing", declared == without, told)
    return outcome


def _below(outcome: ScenarioOutcome, deployment: Deployment, auditor: Auditor) -> None:
    """What recovery would read again is gone: a gap in learning, none in the results."""
    deployment.source.produce(600)
    with deployment.start(SAVE_NEVER) as worker:
        auditor.wait_for_all(LIMIT_S)
        worker.kill()
    ends = deployment.source.inputs.ends()
    _delete(deployment, {p: end // 2 for p, end in ends.items()})
    deployment.source.produce(100)
    with deployment.start(SAVE_NEVER) as worker:
        auditor.wait_for_all(LIMIT_S)
        reasons = _reasons(worker)
        worker.drain()
    gaps = [c for record in deployment.journal() for c in record.changes if c.startswith("gap")]
    outcome.expect("below: a gap is journalled and degrades", bool(gaps) and "gap" in reasons, gaps)


def _above(outcome: ScenarioOutcome, deployment: Deployment, auditor: Auditor) -> None:
    """What nobody had read is gone: it is missed, said, and the rest goes on."""
    ends = deployment.source.inputs.ends()
    deployment.source.produce(600)
    _delete(deployment, {p: end + 40 for p, end in ends.items()})
    _expire(deployment, {p: (end, end + 40) for p, end in ends.items()})
    with deployment.start(SAVE_NEVER) as worker:
        auditor.wait_for_all(LIMIT_S)
        reasons = _reasons(worker)
        ends = deployment.source.inputs.ends()
        with worker.frozen():
            deployment.source.produce(1_600)
            cut = {p: end + 200 for p, end in ends.items()}
            _delete(deployment, cut)
        _expire(deployment, {p: (end, cut[p]) for p, end in ends.items()})
        auditor.wait_for_all(LIMIT_S)
        code, _ = worker.drain()
    told = f"reasons {sorted(reasons)}, exit {code}"
    outcome.expect(
        "above: a loss degrades, and ends nothing", "missed" in reasons and code == 0, told
    )


def _delete(deployment: Deployment, before: dict[int, int]) -> None:
    for partition, offset in before.items():
        deployment.admin.delete_before(TopicPartition(deployment.topic, partition), offset)


def _expire(deployment: Deployment, ranges: dict[int, tuple[int, int]]) -> None:
    for partition, (start, stop) in ranges.items():
        deployment.source.inputs.expire(partition, start, stop)


def _reasons(worker: Worker) -> set[str]:
    reasons: dict[str, str] = worker.status().get("reasons", {})
    return set(reasons)


def _missed(journal: Iterable[JournalRecord]) -> set[Place]:
    changes = [change for record in journal for change in record.changes]
    found = [tuple(map(int, match.groups())) for c in changes if (match := _MISSED.match(c))]
    return {
        (partition, offset) for partition, start, stop in found for offset in range(start, stop)
    }
