"""SIGTERM: the way an orchestrator ends a process."""

from __future__ import annotations

import random
import time
from functools import partial
from pathlib import Path

from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.repeating import repeating
from benchmarks.chaos.settings import SAVE_NEVER, STEADY
from benchmarks.chaos.site import Site
from benchmarks.chaos.worker import DRAIN_S, Worker, until
from streamssl.checkpoint.store import load

LIMIT_S = 240.0
RATE = 200.0


def drains(form: Form, site: Site) -> ScenarioOutcome:
    """SIGTERM at any moment of work: exit 0 in 20 s, all committed, a checkpoint that is valid."""
    rng, outcome = random.Random(17), ScenarioOutcome(f"{form.drains} times SIGTERM under load")
    codes, longest_s, valid = [], 0.0, 0
    answers: list[list[tuple[int, int]]] = []
    with site.deployment(STEADY) as deployment, deployment.auditor() as auditor:
        for _ in range(form.drains):
            deployment.source.produce(100)
            before = deployment.checkpoints()
            with deployment.start(SAVE_NEVER) as worker:
                _until_learnt(worker)
                with deployment.source.streaming(RATE):
                    time.sleep(rng.uniform(0.0, 1.0))
                    seen = list[tuple[int, int]]()
                    with repeating(partial(_probe, worker, seen)):
                        code, seconds = worker.drain()
            codes.append(code)
            answers.append(seen)
            longest_s = max(longest_s, seconds)
            valid += _saved_at_the_end(deployment, before)
        with deployment.start() as worker:
            auditor.wait_for_all(LIMIT_S)
            codes.append(worker.drain()[0])
        tally = auditor.tally()
    outcome.expect(
        f"exit code 0 within {DRAIN_S:.0f} s",
        set(codes) == {0},
        f"{codes.count(0)} of {len(codes)}, the longest {longest_s:.1f} s",
    )
    text = "its end is the only time that it saves, and that checkpoint is valid"
    outcome.expect(text, valid == form.drains, f"{valid} of {form.drains}")
    _check_answers(outcome, answers)
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    return outcome


def _check_answers(outcome: ScenarioOutcome, answers: list[list[tuple[int, int]]]) -> None:
    all_answered = all(answers)
    live, ready = ({seen[n] for of_one in answers for seen in of_one} for n in (0, 1))
    counts = [len(of_one) for of_one in answers]
    told = f"{sum(counts):,} answers while draining, at least {min(counts)} a drain"
    outcome.expect("/livez answers 200 while draining", all_answered and live == {200}, told)
    outcome.expect("/readyz answers 503 while draining", all_answered and ready == {503}, told)


def _until_learnt(worker: Worker) -> None:
    """It has something to save."""

    def learnt() -> bool:
        assert worker.poll() is None, worker.log_tail()
        return bool(worker.status().get("epochs"))

    assert until(learnt, LIMIT_S), worker.log_tail()


def _probe(worker: Worker, answers: list[tuple[int, int]]) -> None:
    """Ask both probes of a process that was told to drain; what both answered counts."""
    if not worker.is_draining():
        time.sleep(0.002)
        return
    live, ready = worker.probe("/livez")[0], worker.probe("/readyz")[0]
    if live and ready:
        answers.append((live, ready))


def _saved_at_the_end(deployment: Deployment, before: list[Path]) -> bool:
    new = [path for path in deployment.checkpoints() if path not in before]
    return len(new) == 1 and load(new[0]).epoch > 0
