"""Every scenario by its name; in the long form each ends within 40 minutes."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.chaos import (
    corruption,
    drains,
    expiry,
    kills,
    outages,
    poison,
    rebalances,
    recovery,
    slow_output,
    soak,
    zombies,
)
from benchmarks.chaos.forms import Form
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.results import ScenarioResult
from benchmarks.chaos.site import Site

Scenario = Callable[[Form, Site], ScenarioOutcome]

SCENARIOS: dict[str, Scenario] = {
    "kills-random": kills.at_random,
    "kills-moments": kills.at_moments,
    "kills-at-least-once": kills.at_least_once,
    "corruption": corruption.corruption,
    "corruption-exit-codes": corruption.exit_codes,
    "drains": drains.drains,
    "outages": outages.outages,
    "rebalances": rebalances.rebalances,
    "rebalances-slow-learning": rebalances.slow_learning,
    "rebalances-expiry": expiry.expiry,
    "rebalances-recovery": recovery.recovery,
    "zombies": zombies.zombies,
    "zombies-successors": zombies.successors,
    "zombies-own-time-outs": zombies.own_time_outs,
    "poison": poison.poison,
    "poison-killing": poison.killing,
    "slow-output": slow_output.slow_output,
    "slow-output-lag": slow_output.lag,
    "soak": soak.soak,
}


def scenarios_named(name: str) -> list[str]:
    """The scenarios that a name means: one of them, or all that begin with it; empty means all.

    Raises:
        ValueError: There is none.
    """
    found = [one for one in SCENARIOS if not name or one == name or one.startswith(f"{name}-")]
    if not found:
        raise ValueError(f"no scenario is named {name!r}; there are {', '.join(SCENARIOS)}")
    return found


def run_scenario(scenario: str, form: Form, site: Site) -> ScenarioResult:
    """Run a scenario to its end, and say how long it took."""
    began_s = time.monotonic()
    outcome = SCENARIOS[scenario](form, site)
    return ScenarioResult(scenario, form.name, round(time.monotonic() - began_s, 1), outcome)
