"""Processes that freeze, and come back to a world that went on without them."""

from __future__ import annotations

import shutil
import subprocess
import time

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE, REPLAY
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.replays import compare_with_replay
from benchmarks.chaos.settings import STEADY
from benchmarks.chaos.site import Site
from benchmarks.chaos.worker import DRAIN_S, Worker, end_all, until

LIMIT_S = 240.0
# Less than the defaults, and so are the waits; brokers allow no shorter session.
TIMEOUT_MS = 6_000
SECTIONS = {
    **STEADY,
    "kafka": {"session_timeout_ms": TIMEOUT_MS, "transaction_timeout_ms": TIMEOUT_MS},
}
FROZEN_S = TIMEOUT_MS / 1e3 + 3.0
RATE = 100.0


def zombies(form: Form, site: Site) -> ScenarioOutcome:
    """A frozen worker's partitions move on; when it thaws it writes nothing of before."""
    outcome = ScenarioOutcome(
        f"{form.zombies} times SIGSTOP of one of 2 workers past the session, then SIGCONT"
    )
    with (
        site.deployment(SECTIONS, num_instances=2) as deployment,
        deployment.auditor() as auditor,
    ):
        workers = {i: deployment.start(instance=i) for i in (0, 1)}
        taken_over, rejoined = 0, 0
        try:
            with deployment.source.streaming(RATE):
                until(lambda: [w.num_held() for w in workers.values()] == [2, 2], LIMIT_S)
                for number in range(form.zombies):
                    frozen, other = workers[number % 2], workers[1 - number % 2]
                    taken_over += _freeze(frozen, other, auditor)
                    rejoined += _has_come_back(frozen, other)
            waited_s = auditor.wait_for_all(LIMIT_S)
            ends = [worker.drain() for worker in workers.values()]
        finally:
            end_all(workers.values())
        tally, comparison = auditor.tally(), compare_with_replay(deployment)
    outcome.expect("the other worker took over and went on", taken_over == form.zombies, taken_over)
    outcome.expect("it joins again, and both work", rejoined == form.zombies, rejoined)
    told = f"exits {[code for code, _ in ends]}, caught up in {waited_s:.0f} s"
    outcome.expect(f"SIGTERM ends both in {DRAIN_S:.0f} s", [c for c, _ in ends] == [0, 0], told)
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    outcome.expect(REPLAY, comparison.equal, comparison)
    return outcome


def successors(form: Form, site: Site) -> ScenarioOutcome:
    """Another process took the frozen one's very place: the old one ends, the new one stays."""
    outcome = ScenarioOutcome(
        f"{form.zombies} times SIGSTOP, a successor as the same instance, SIGCONT"
    )
    with site.deployment(SECTIONS) as deployment, deployment.auditor() as auditor:
        codes, alive = [], 0
        with deployment.source.streaming(RATE):
            worker = deployment.start()
            auditor.wait_for_more(LIMIT_S, 50)
            for number in range(form.zombies):
                worker, code, lives = _succeed(deployment, auditor, worker, number)
                codes.append(code)
                alive += lives
        waited_s = auditor.wait_for_all(LIMIT_S)
        end, _ = worker.drain()
        tally = auditor.tally()
    outcome.expect("the old process ends by itself, with an error", set(codes) == {1}, codes)
    outcome.expect("the successor stays", alive == form.zombies and end == 0, f"exit {end}")
    outcome.expect(EXACTLY_ONCE, tally.exact, f"{tally}; after {waited_s:.0f} s")
    return outcome


def own_time_outs(form: Form, site: Site) -> ScenarioOutcome:
    """A rightful owner that timed out, or whose broker did, is fenced by nobody but itself."""
    outcome = ScenarioOutcome(
        f"{form.zombies} times each: the broker, the only worker, both frozen for {FROZEN_S:.0f} s"
    )
    with (
        site.own_broker() as broker,
        site.deployment(SECTIONS, broker=broker) as deployment,
        deployment.auditor() as auditor,
    ):
        went_on = []
        worker = deployment.start()
        try:
            with deployment.source.streaming(RATE):
                auditor.wait_for_more(LIMIT_S, 50)
                for _ in range(form.zombies):
                    with broker.frozen():
                        time.sleep(FROZEN_S)
                    went_on.append(auditor.wait_for_more(LIMIT_S, 50))
                    worker.freeze()
                    time.sleep(FROZEN_S)
                    worker.thaw()
                    went_on.append(auditor.wait_for_more(LIMIT_S, 50))
                    worker.freeze()
                    with broker.frozen():
                        time.sleep(FROZEN_S)
                    worker.thaw()
                    went_on.append(auditor.wait_for_more(LIMIT_S, 50))
            auditor.wait_for_all(LIMIT_S)
            code, _ = worker.drain()
        finally:
            worker.end()
        tally = auditor.tally()
    told = f"longest {max(went_on):.1f} s until 50 more results, exit {code}"
    outcome.expect("the same process goes on", max(went_on) <= LIMIT_S and code == 0, told)
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    return outcome


def _freeze(frozen: Worker, other: Worker, auditor: Auditor) -> bool:
    """Freeze one until the other holds everything and has published of it."""
    frozen.freeze()
    try:
        taken = until(lambda: other.num_held() == 4, LIMIT_S)
        auditor.look()
        went_on = auditor.wait_for_more(LIMIT_S, 200) <= LIMIT_S
    finally:
        frozen.thaw()
    return taken and went_on


def _has_come_back(frozen: Worker, other: Worker) -> bool:
    return until(lambda: frozen.num_held() == other.num_held() == 2, LIMIT_S)


def _succeed(
    deployment: Deployment, auditor: Auditor, old: Worker, number: int
) -> tuple[Worker, int | None, bool]:
    """Freeze a process, start another in its place, thaw: the new one, the old one's end."""
    old.freeze()
    # The frozen one still holds the lock: its successor runs from a copy, as on another host.
    place = deployment.state_dir().with_name(f"state-0-{number}")
    shutil.copytree(old.state_dir, place)
    new = deployment.start(state_dir=place)
    auditor.look()
    auditor.wait_for_more(LIMIT_S, 100)
    old.thaw()
    try:
        code = old.wait(60)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        old.end()
    auditor.look()
    went_on = auditor.wait_for_more(LIMIT_S, 100) <= LIMIT_S
    return new, code, went_on and new.poll() is None
