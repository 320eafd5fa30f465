"""Partitions that move: workers come and go, also while one is busy learning."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE, REPLAY
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.replays import compare_with_replay
from benchmarks.chaos.settings import SMALL, STEADY
from benchmarks.chaos.site import Site
from benchmarks.chaos.source import NUM_PARTITIONS
from benchmarks.chaos.worker import Worker, end_all, until
from streamssl.transport.journal import JournalRecord

LIMIT_S = 240.0
RATE = 40.0
TAIL_EVENTS = int(SMALL["modality"]["tail_events"])
NO_EVICTION = "nobody is evicted from the group for slowness"
# The first epochs have 32 events; the fourth brings a burst, long enough to be met in the middle.
EPOCHS_BEFORE, BURST_STEPS = 3, 500
BURST_AT = 32 * (EPOCHS_BEFORE + 1)
SESSION_MS, STANDS_S = 6_000, 8.0
# (partition, offset, instance before, instance after, the record in which it went on)
Move = tuple[int, int, int, int, JournalRecord]


def rebalances(form: Form, site: Site) -> ScenarioOutcome:
    """One worker becomes three and one again, in order and by kill -9: nothing lost or doubled."""
    outcome = ScenarioOutcome(
        f"{form.rebalances} times 1 → 3 → 1 workers, by SIGTERM and kill -9 in turn"
    )
    with (
        site.deployment(STEADY, num_instances=3) as deployment,
        deployment.auditor() as auditor,
    ):
        first, ends = deployment.start(), list[bool]()
        try:
            with deployment.source.streaming(RATE):
                until(lambda: first.num_held() == NUM_PARTITIONS, LIMIT_S)
                member = deployment.member_id(0)
                for number in range(form.rebalances):
                    ends.append(_there_and_back(deployment, auditor, first, bool(number % 2)))
                kept = deployment.member_id(0) == member
            auditor.wait_for_all(LIMIT_S)
            code, _ = first.drain()
        finally:
            first.end()
        tally, comparison = auditor.tally(), compare_with_replay(deployment)
        moves = list(_moves([deployment.journal(i) for i in range(3)]))
    done = f"{sum(ends)} of {form.rebalances}"
    outcome.expect("all partitions move, and come back", all(ends), done)
    outcome.expect(NO_EVICTION, kept and code == 0, f"the same member, exit {code}")
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    _check_tails(outcome, moves)
    outcome.expect(REPLAY, comparison.equal, comparison)
    return outcome


def slow_learning(_: Form, site: Site) -> ScenarioOutcome:
    """A worker joins while another learns for longer than a session: it waits, nobody is lost.

    How long a step takes differs between machines, so the learner's process is stopped in it.
    """
    burst = {"burst_steps": BURST_STEPS, "burst_slice": BURST_STEPS}
    # Epochs end by count, however much waits, and the burst is one slice.
    learn = {**SMALL["learn"], **burst, "max_wait_s": 1e6, "max_stretch": 1}
    sections = {**STEADY, "learn": learn, "kafka": {"session_timeout_ms": SESSION_MS}}
    outcome = ScenarioOutcome("a worker joins in the middle of a learning step that takes long")
    with (
        site.deployment(sections, num_instances=2) as deployment,
        deployment.auditor() as auditor,
    ):
        workers = [deployment.start()]
        try:
            until(lambda: workers[0].num_held() == NUM_PARTITIONS, LIMIT_S)
            member = deployment.member_id(0)
            deployment.source.produce(160)
            until(lambda: workers[0].status().get("events", 0) >= BURST_AT, LIMIT_S, 0.02)
            with workers[0].learner_frozen():
                began_s = time.monotonic()
                workers.append(deployment.start(instance=1))
                deployment.source.produce(80)
                joined = until(lambda: bool(deployment.member_id(1)), LIMIT_S)
                time.sleep(max(0.0, began_s + STANDS_S - time.monotonic()))
                learnt, stood_s = workers[0].status()["epochs"], time.monotonic() - began_s
            shared = until(lambda: [w.num_held() for w in workers] == [2, 2], LIMIT_S)
            kept = deployment.member_id(0) == member
            deployment.source.produce(80)
            auditor.wait_for_all(LIMIT_S)
            codes = [worker.drain()[0] for worker in workers]
        finally:
            end_all(workers)
        tally, comparison = auditor.tally(), compare_with_replay(deployment)
    text = "it joins during a step that takes longer than the session"
    told = f"in epoch {learnt + 1}: {stood_s:.1f} s and more, session {SESSION_MS / 1e3:.0f} s"
    outcome.expect(text, joined and learnt == EPOCHS_BEFORE, told)
    outcome.expect(NO_EVICTION, kept and shared and codes == [0, 0], f"exits {codes}")
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    outcome.expect(REPLAY, comparison.equal, comparison)
    return outcome


def _there_and_back(deployment: Deployment, auditor: Auditor, first: Worker, hard: bool) -> bool:
    others = [deployment.start(instance=instance) for instance in (1, 2)]
    workers = [first, *others]

    def shared() -> bool:
        held = [worker.num_held() for worker in workers]
        return min(held) > 0 and sum(held) == NUM_PARTITIONS

    try:
        came = until(shared, LIMIT_S)
        auditor.look()
        came = came and auditor.wait_for_more(LIMIT_S, 60) <= LIMIT_S
    finally:
        for worker in others:
            if hard:
                worker.kill()
            else:
                worker.terminate()
        for worker in others:
            worker.wait(30)
    back = until(lambda: first.num_held() == NUM_PARTITIONS, LIMIT_S)
    auditor.look()
    return came and back and auditor.wait_for_more(LIMIT_S, 60) <= LIMIT_S


def _moves(journals: Sequence[Sequence[JournalRecord]]) -> Iterator[Move]:
    """Where a partition went on under another instance than before."""
    taken = sorted(
        (partition, start, instance, record)
        for instance, journal in enumerate(journals)
        for record in journal
        for partition, (start, *_) in record.ranges.items()
    )
    for (p, _, before, _), (partition, start, after, record) in itertools.pairwise(taken):
        if p == partition and before != after:
            yield partition, start, before, after, record


def _check_tails(outcome: ScenarioOutcome, moves: Sequence[Move]) -> None:
    """A moved partition's windows were rebuilt from the input before it, as far as is wanted."""
    wrong = [
        (partition, start, record.tails.get(partition))
        for partition, start, _, _, record in moves
        if record.tails.get(partition) != (max(0, start - TAIL_EVENTS), start)
    ]
    left = {(partition, before) for partition, _, before, _, _ in moves}
    back = sum((partition, after) in left for partition, _, _, after, _ in moves)
    told = f"{len(moves)} moves, {back} of them back to an earlier owner; {len(wrong)} wrong"
    text = f"windows are rebuilt from the {TAIL_EVENTS} messages before the move"
    outcome.expect(text, bool(back) and not wrong, f"{told} {wrong[:3] or ''}".rstrip())
