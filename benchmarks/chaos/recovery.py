"""How long a start takes, by what happened since the last checkpoint."""

from __future__ import annotations

import time

from benchmarks.chaos.forms import Form
from benchmarks.chaos.kills import EXACTLY_ONCE
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.settings import NUM_CHANNELS, SAVE_NEVER
from benchmarks.chaos.site import Site
from benchmarks.chaos.source import channels
from benchmarks.chaos.worker import until
from streamssl.config.sections import CheckpointConfig

LIMIT_S = 600.0
RECOVERY_S = 30.0


def recovery(form: Form, site: Site) -> ScenarioOutcome:
    """After kill -9 the state is back within 30 s at the default interval of checkpoints."""
    outcome = ScenarioOutcome(
        f"kill -9 with {form.backlogs} events since the checkpoint, 8 channels"
    )
    sections = {"checkpoint": {"every_s": 1e9}}
    with (
        site.deployment(sections, reading=channels(NUM_CHANNELS)) as deployment,
        deployment.auditor() as auditor,
    ):
        took: dict[int, float] = {}
        worker = deployment.start(SAVE_NEVER)
        try:
            for num_events in form.backlogs:
                deployment.source.produce(num_events - deployment.num_produced)
                until(worker.is_recovered, LIMIT_S)
                auditor.wait_for_all(LIMIT_S)
                worker.end()
                began_s = time.monotonic()
                worker = deployment.start(SAVE_NEVER)
                until(worker.is_recovered, LIMIT_S, pace_s=0.02)
                took[num_events] = time.monotonic() - began_s
            deployment.source.produce(1_000)
            auditor.wait_for_all(LIMIT_S)
            code, _ = worker.drain()
        finally:
            worker.end()
        tally = auditor.tally()
    _check(outcome, took, CheckpointConfig().every_events)
    outcome.expect(EXACTLY_ONCE, tally.exact and code == 0, tally)
    return outcome


def _check(outcome: ScenarioOutcome, took: dict[int, float], interval: int) -> None:
    """Beyond a start with nothing to recover; where as much was left as may be, also as a whole."""
    (_, start_s), *_, (num, longest_s) = took.items()
    told = ", ".join(f"{num:,} events {seconds:.1f} s" for num, seconds in took.items())
    told += f"; {(num / (longest_s - start_s)):,.0f} events/s"
    text = f"{num:,} events take at most {RECOVERY_S:.0f} s more than none"
    outcome.expect(text, longest_s - start_s <= RECOVERY_S, told)
    if num >= interval:
        text = f"recovered within {RECOVERY_S:.0f} s of the start at the default interval"
        outcome.expect(text, took[interval] <= RECOVERY_S, f"{interval:,} {took[interval]:.1f} s")
