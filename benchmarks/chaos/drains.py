"""SIGTERM: the way an orchestrator ends a process."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE
from benchmarks.chaos.outcome import Outcome
from benchmarks.chaos.settings import STEADY
from benchmarks.chaos.site import Site
from benchmarks.chaos.worker import DRAIN_S, Worker
from streamssl.checkpoint.store import load

LIMIT_S = 240.0


def drains(form: Form, site: Site) -> Outcome:
    """SIGTERM at any moment of work: exit 0 in 20 s, all committed, a checkpoint that is valid."""
    rng, outcome = random.Random(17), Outcome(f"{form.drains} times SIGTERM under load")
    codes, longest_s, valid = [], 0.0, 0
    answers: list[tuple[int, int]] = []
    with site.deployment(STEADY) as deployment, deployment.auditor() as auditor:
        for _ in range(form.drains):
            deployment.source.produce(100)
            with deployment.start() as worker, deployment.source.streaming(200):
                _until_at_work(worker)
                time.sleep(rng.uniform(0.0, 1.0))
                with _probing(worker, answers):
                    code, seconds = worker.drain()
            codes.append(code)
            longest_s = max(longest_s, seconds)
            valid += _newest_is_valid(deployment)
        with deployment.start() as worker:
            auditor.wait_for_all(LIMIT_S)
            codes.append(worker.drain()[0])
        verdict = auditor.verdict()
    outcome.expect(
        f"exit code 0 within {DRAIN_S:.0f} s",
        set(codes) == {0},
        f"{codes.count(0)} of {len(codes)}, the longest {longest_s:.1f} s",
    )
    outcome.expect("the newest checkpoint is valid", valid == form.drains, f"{valid}")
    _check_answers(outcome, answers)
    outcome.expect(EXACTLY_ONCE, verdict.exact, verdict)
    return outcome


def _check_answers(outcome: Outcome, answers: list[tuple[int, int]]) -> None:
    live = [code for code, _ in answers]
    ready = [code for _, code in answers]
    told = f"{len(answers)} answers while draining"
    outcome.expect("/livez answers 200 while draining", set(live) == {200}, told)
    wrong = [code for code in ready if code != 503]
    outcome.expect("/readyz answers 503 while draining", bool(ready) and not wrong, told)


def _until_at_work(worker: Worker) -> None:
    until = time.monotonic() + LIMIT_S
    while not worker.status().get("transactions"):
        assert worker.poll() is None, worker.told()
        assert time.monotonic() < until, worker.told()
        time.sleep(0.05)


@contextmanager
def _probing(worker: Worker, answers: list[tuple[int, int]]) -> Iterator[None]:
    """Ask both probes, from the signal to the process's end.

    A pair counts where the process answered both after it was told to drain.
    """
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            if not worker.is_draining():
                continue
            live, ready = worker.probe("/livez")[0], worker.probe("/readyz")[0]
            if live and ready:
                answers.append((live, ready))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _newest_is_valid(deployment: Deployment) -> bool:
    found = deployment.checkpoints()
    return bool(found) and load(found[0]).epoch > 0
