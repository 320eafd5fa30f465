"""The faults of `benchmarks/chaos`, in their short form; what each promises is in its docstring.

They wait more than they work, so several are under way at a time, each in a process of its own:
whoever writes its input and counts its results must not take turns with the others. What they
found is kept for the page, which `make chaos FORM=short` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from benchmarks.chaos.forms import FORMS
from benchmarks.chaos.results import RESULTS, ResultStore, ScenarioResult
from benchmarks.chaos.scenarios import SCENARIOS, run_scenario
from benchmarks.chaos.site import Site
from tests.conftest import RunningBroker

ROOT = Path(__file__).parents[2]
AT_A_TIME = 3
# These take longest: begun last, they would end alone.
LONGEST = ("rebalances", "kills-moments", "poison-killing", "soak", "kills-random", "outages")
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def results(
    kafka_broker: RunningBroker,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[dict[str, Future[ScenarioResult]]]:
    """The scenarios that were asked for, the longest first."""
    names = {item.name for item in request.session.items}
    wanted = {name for name in SCENARIOS if any(f"[{name}]" in asked for asked in names)}
    order = [*LONGEST, *(name for name in SCENARIOS if name not in LONGEST)]
    with ProcessPoolExecutor(AT_A_TIME, get_context("spawn")) as pool:

        def begin(name: str) -> Future[ScenarioResult]:
            site = Site(kafka_broker, tmp_path_factory.mktemp(name))
            return pool.submit(run_scenario, name, FORMS["short"], site)

        yield {name: begin(name) for name in order if name in wanted}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_was_promised_held(scenario: str, results: dict[str, Future[ScenarioResult]]) -> None:
    """Every promise of the scenario was kept."""
    found = results[scenario].result()
    ResultStore(ROOT / RESULTS).put(found)
    assert found.outcome.broken() == []
