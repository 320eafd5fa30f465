"""The broker restarts, in order or not, and once stays away for long."""

from __future__ import annotations

import random
import time

from benchmarks.chaos.auditor import Auditor
from benchmarks.chaos.broker import ChaosBroker
from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.settings import STEADY
from benchmarks.chaos.site import Site
from benchmarks.chaos.worker import DRAIN_S, end_all, until

LIMIT_S = 240.0
PROGRESS_S = 60.0
# What piled up during the outage is processed after it.
CATCH_UP_S = 600.0
RATE = 60.0


def outages(form: Form, site: Site) -> ScenarioOutcome:
    """The broker goes away and comes back: so does the work, and nothing hangs."""
    rng, outcome = random.Random(19), ScenarioOutcome()
    outcome.did = (
        f"{form.restarts} broker restarts, clean and hard in turn, 2 workers; "
        f"one absence of {form.outage_s:.0f} s, with a SIGTERM in it"
    )
    with (
        site.own_broker() as broker,
        site.deployment(STEADY, broker=broker, num_instances=2) as deployment,
        deployment.auditor() as auditor,
    ):
        workers = {i: deployment.start(instance=i) for i in (0, 1)}
        back_s = []
        try:
            with deployment.source.streaming(RATE):
                shared = until(lambda: [w.num_held() for w in workers.values()] == [2, 2], LIMIT_S)
                auditor.wait_for_more(PROGRESS_S)
                for number in range(form.restarts - 1):
                    _go_away(broker, hard=bool(number % 2))
                    time.sleep(rng.uniform(0.0, 8.0))
                    back_s.append(_come_back(broker, auditor))
                _go_away(broker, hard=True)
                time.sleep(form.outage_s / 2)
                stopped = workers[1].drain()
                time.sleep(form.outage_s / 2)
                back_s.append(_come_back(broker, auditor))
                ended = workers[0].poll()
                workers[1] = deployment.start(instance=1)
                shared &= until(lambda: [w.num_held() for w in workers.values()] == [2, 2], LIMIT_S)
            caught_up_s = auditor.wait_for_all(CATCH_UP_S)
            codes = [worker.drain()[0] for worker in workers.values()]
        finally:
            end_all(workers.values())
        tally = auditor.tally()
    outcome.expect(
        f"what is sent after the broker's return has results within {PROGRESS_S:.0f} s of it",
        max(back_s) <= PROGRESS_S,
        f"longest {max(back_s):.1f} s",
    )
    outcome.expect(
        f"SIGTERM is obeyed within {DRAIN_S:.0f} s during the absence",
        stopped[0] is not None,
        f"exit {stopped[0]} after {stopped[1]:.1f} s",
    )
    text = "the other worker lives through all of it, and shares with a new one"
    outcome.expect(text, ended is None and shared, "it runs" if ended is None else f"exit {ended}")
    outcome.expect("they catch up and drain", codes == [0, 0], f"{codes}, {caught_up_s:.0f} s")
    outcome.expect(EXACTLY_ONCE, tally.exact, tally)
    return outcome


def _go_away(broker: ChaosBroker, *, hard: bool) -> None:
    if hard:
        broker.kill()
    else:
        broker.shut_down()


def _come_back(broker: ChaosBroker, auditor: Auditor) -> float:
    """Seconds from the broker's return to results of messages that it took after it."""
    ends = auditor.counter.inputs.ends()
    broker.restart()
    return auditor.wait_for_later(PROGRESS_S, ends, num=20)
