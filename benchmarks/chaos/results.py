"""What scenarios found, kept as files, so that a run goes on where the last one ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.chaos.outcome import Promise, ScenarioOutcome

RESULTS = Path("build/chaos")
PAGE = Path("docs/reliability.md")


@dataclass(frozen=True)
class ScenarioResult:
    """One finished scenario.

    Attributes:
        scenario: Its name.
        form: `short` or `long`.
        seconds: How long it took.
        outcome: What it found.
    """

    scenario: str
    form: str
    seconds: float
    outcome: ScenarioOutcome


class ResultStore:
    """A folder with one JSON file a finished scenario, by form.

    Args:
        folder: Made where absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, result: ScenarioResult) -> None:
        """Keep a result; an earlier one of the same scenario is replaced."""
        path = self.path(result.form, result.scenario)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(result), indent=1))
        draft.rename(path)

    def get(self, form: str, scenario: str) -> ScenarioResult | None:
        """What a scenario found, None where it has not been run to its end."""
        path = self.path(form, scenario)
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        promises = [Promise(**promise) for promise in kept["outcome"]["promises"]]
        outcome = ScenarioOutcome(kept["outcome"]["did"], promises)
        return ScenarioResult(scenario, form, kept["seconds"], outcome)

    def path(self, form: str, scenario: str) -> Path:
        """Where a scenario's result is kept."""
        return self._folder / form / f"{scenario}.json"
