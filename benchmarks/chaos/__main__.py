"""Run the scenarios, keep what they found, write the page: `make chaos`."""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType

from benchmarks.chaos.broker import ChaosBroker
from benchmarks.chaos.forms import FORMS, Form
from benchmarks.chaos.outcome import ScenarioOutcome
from benchmarks.chaos.report import write
from benchmarks.chaos.results import PAGE, RESULTS, ResultStore, ScenarioResult
from benchmarks.chaos.scenarios import run_scenario, scenarios_named
from benchmarks.chaos.site import Site

LIMIT_S = 40 * 60


def main() -> int:
    """Run what is missing; 1 where a promise was broken."""
    arguments = _arguments()
    form, results = FORMS[arguments.form], ResultStore(arguments.results)
    broken = 0
    for scenario in scenarios_named(arguments.stage):
        found = results.get(form.name, scenario)
        if found is None or found.outcome.broken():
            _say(f"{scenario} ({form.name}) ...")
            found = _run(scenario, form)
            results.put(found)
        else:
            _say(
                f"{scenario} ({form.name}) is done: remove "
                f"{results.path(form.name, scenario)} to redo it"
            )
        write(found, arguments.page)
        broken += len(found.outcome.broken())
        _tell(found)
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--form", choices=FORMS, default="long")
    # `make chaos STAGE=`, and the commands on the page, have always said it so.
    parser.add_argument("--stage", default="", help="one, or all that begin with it; else all")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    try:
        scenarios_named(arguments.stage)
    except ValueError as error:
        parser.error(str(error))
    return arguments


def _run(scenario: str, form: Form) -> ScenarioResult:
    """Run one scenario on a broker of its own; an error breaks it, and leaves its folder."""
    folder = Path(tempfile.mkdtemp(prefix="streamssl-chaos-"))
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.alarm(LIMIT_S)
    try:
        with ChaosBroker() as broker:
            found = run_scenario(scenario, form, Site(broker, folder))
    except Exception:
        told = traceback.format_exc().strip()
        _say(told)
        outcome = ScenarioOutcome()
        outcome.expect("the scenario comes to its end", False, told.splitlines()[-1][:300])
        found = ScenarioResult(scenario, form.name, 0.0, outcome)
    finally:
        signal.alarm(0)
    if found.outcome.broken():
        _say(f"logs and state are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _too_long(_: int, __: FrameType | None) -> None:
    raise TimeoutError(f"a scenario may take {LIMIT_S // 60} minutes")


def _tell(found: ScenarioResult) -> None:
    _say(f"{found.scenario} ({found.form}), {found.seconds:.0f} s: {found.outcome.did}")
    for promise in found.outcome.promises:
        _say(f"  {'held  ' if promise.held else 'BROKEN'} {promise.text}: {promise.measured}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
