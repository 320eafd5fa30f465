"""kill -9, at random moments, in bursts, and where it hurts most."""

from __future__ import annotations

import random
import time
from collections import Counter

from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.forms import Form
from benchmarks.chaos.killer import Death, Killer
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.replays import compare_with_replay
from benchmarks.chaos.settings import MAX_EVENTS, SAVE_NEVER, SAVE_OFTEN, SMALL, STEADY
from benchmarks.chaos.site import Site
from benchmarks.chaos.witness import Witness
from benchmarks.chaos.worker import Worker, end_all
from streamssl.devkit.delivery import DeliveryTally

Moment = tuple[str, tuple[str, ...]]
# Moments of death, and how the process is started that dies there: these in every round, the last
# with what the one before it left to be recovered,
MOMENTS: list[Moment] = [
    ("in_checkpoint", (SAVE_OFTEN,)),
    ("in_transaction", (SAVE_NEVER,)),
    ("recovering", (SAVE_NEVER,)),
]
# and one of these.
OTHERS: list[Moment] = [
    ("in_open_epoch", ()),
    ("between_commit_and_learning", (SAVE_OFTEN,)),
]
TRIES = 5
BURST = 3
EXACTLY_ONCE = "every message has exactly one result"
REPLAY = "an uninterrupted replay of the journal gives the same records and states, bit for bit"
LIMIT_S = 240.0


def at_moments(form: Form, site: Site) -> ScenarioOutcome:
    """Killed in a transaction, an open epoch, a checkpoint's write, a recovery: nothing shows."""
    rng, outcome = random.Random(7), ScenarioOutcome()
    with site.deployment(SMALL) as deployment, Witness(deployment) as witness:
        killer, deaths = Killer(deployment, witness, rng), list[Death]()
        for number in range(form.kills):
            for moment in (OTHERS[number % len(OTHERS)], *MOMENTS):
                deaths += _kill_at(killer, moment)
        deployment.source.produce(200)
        tally = _drained(deployment)
        witness.settle(0.5)
        _check_deaths(outcome, deaths, witness, form.kills)
        _check_count(outcome, tally)
        _check_order(outcome, deployment)
        comparison = compare_with_replay(deployment)
    outcome.did = f"{len(deaths)} times kill -9 at {len({d.moment for d in deaths})} chosen moments"
    outcome.expect(REPLAY, comparison.equal and comparison.saved > 5, comparison)
    return outcome


def at_random(form: Form, site: Site) -> ScenarioOutcome:
    """Two workers killed at random, also in bursts .1 to 1 s apart: nothing lost or doubled."""
    rng, outcome = random.Random(11), ScenarioOutcome()
    bursts = [number // BURST % 2 == 1 for number in range(2 * form.kills)]
    outcome.did = f"{len(bursts)} times kill -9 of 2 workers at random, {sum(bursts)} in bursts"
    with (
        site.deployment(STEADY, num_instances=2) as deployment,
        deployment.auditor() as auditor,
    ):
        workers = {i: deployment.start(instance=i) for i in (0, 1)}
        ended = Counter[int]()
        try:
            with deployment.source.streaming(150):
                auditor.wait_for_more(LIMIT_S)
                for burst in bursts:
                    time.sleep(rng.uniform(0.1, 1.0) if burst else rng.uniform(1.0, 6.0))
                    instance = rng.randrange(2)
                    ended[workers[instance].poll() is not None] += 1
                    workers[instance] = _replace(deployment, workers[instance], instance)
                    auditor.look()
            waited_s = auditor.wait_for_all(LIMIT_S)
            codes = [worker.drain()[0] for worker in workers.values()]
        finally:
            end_all(workers.values())
        _check_count(outcome, auditor.tally())
        comparison = compare_with_replay(deployment)
    outcome.expect("no process ends but by the kill", not ended[True], f"{ended[True]} did")
    outcome.expect("they catch up and drain", codes == [0, 0], f"{codes} after {waited_s:.0f} s")
    outcome.expect(REPLAY, comparison.equal, comparison)
    return outcome


def at_least_once(form: Form, site: Site) -> ScenarioOutcome:
    """Without transactions: none lost, and a death repeats at most one commit interval."""
    rng, outcome = random.Random(13), ScenarioOutcome()
    sections = {**SMALL, "delivery": {**SMALL["delivery"], "mode": "at_least_once"}}
    moments = ["is_written", "anywhere", "is_written", "starting", "is_written"]
    with site.deployment(sections) as deployment, Witness(deployment) as witness:
        killer = Killer(deployment, witness, rng)
        deaths = [killer.kill(moments[n % len(moments)]) for n in range(form.kills)]
        deployment.source.produce(200)
        tally = _drained(deployment)
    outcome.did = f"{len(deaths)} times kill -9 under `delivery.mode: at_least_once`"
    harmless = not (tally.lost or tally.foreign or tally.misjudged)
    outcome.expect("every message has a result", harmless, tally)
    most = len(deaths) * MAX_EVENTS
    outcome.expect(
        "repeats are at most one transaction's messages a kill",
        tally.repeated <= most,
        f"{tally.repeated} repeats, at most {most}",
    )
    return outcome


def _kill_at(killer: Killer, moment: Moment) -> list[Death]:
    """Kill until what is left shows that it was at the moment."""
    deaths = [killer.kill(*moment)]
    while not deaths[-1].proven and len(deaths) < TRIES:
        deaths.append(killer.kill(*moment))
    return deaths


def _drained(deployment: Deployment) -> DeliveryTally:
    """Let a process finish everything, end it in order, and count."""
    with deployment.auditor() as auditor, deployment.start(SAVE_OFTEN) as worker:
        try:
            auditor.wait_for_all(LIMIT_S)
            code, _ = worker.drain()
            assert code == 0, worker.log_tail()
        finally:
            worker.kill()
        return auditor.tally()


def _replace(deployment: Deployment, worker: Worker, instance: int) -> Worker:
    worker.end()
    return deployment.start(instance=instance)


def _check_count(outcome: ScenarioOutcome, tally: DeliveryTally) -> None:
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)


def _check_order(outcome: ScenarioOutcome, deployment: Deployment) -> None:
    """One worker's results lie in the order of their messages; spaces are announced once."""
    with deployment.auditor() as auditor:
        auditor.wait_for_all(LIMIT_S)
    told = f"{auditor.num_disordered} after a later one"
    outcome.expect("results are in the order of their messages", not auditor.num_disordered, told)
    announced = deployment.spaces()
    right = announced == ["0/provisional", "0/space-1"]
    outcome.expect("each embedding space is announced once", right, announced)


def _check_deaths(
    outcome: ScenarioOutcome, deaths: list[Death], witness: Witness, wanted: int
) -> None:
    """The processes had worked, and what they left behind shows where they died."""
    at_work = [death for death in deaths if death.moment != "recovering"]
    worked = sum(death.num_landed > 0 for death in at_work)
    outcome.expect("they had worked", worked == len(at_work), f"{worked} of {len(at_work)}")
    proven = Counter(death.moment for death in deaths if death.proven)
    often = all(proven[moment] >= wanted for moment, _ in MOMENTS)
    told = ", ".join(f"{moment} {num}" for moment, num in sorted(proven.items()))
    outcome.expect("they died at these moments", often and len(proven) == 5, told)
    ends = [d.journal_end for d in deaths if d.moment == "in_open_epoch" and d.proven]
    records = witness.records
    outcome.expect(
        "a successor goes on with the epoch that was open",
        any(records[n - 1].epoch == records[n].epoch for n in ends),
        f"{len(ends)} deaths in an open epoch",
    )
