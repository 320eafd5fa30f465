"""What stages found, kept as files, so that a run goes on where the last one ended."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.chaos.outcome import Outcome, Promise

RESULTS = Path("build/chaos")
PAGE = Path("docs/reliability.md")


@dataclass(frozen=True)
class Result:
    """One finished stage.

    Attributes:
        stage: Its name.
        form: `short` or `long`.
        seconds: How long it took.
        outcome: What it found.
    """

    stage: str
    form: str
    seconds: float
    outcome: Outcome


class Results:
    """A folder with one JSON file a finished stage, by form.

    Args:
        folder: Made where absent.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, result: Result) -> None:
        """Keep a result; an earlier one of the same stage is replaced."""
        path = self.path(result.form, result.stage)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(result), indent=1))
        draft.rename(path)

    def get(self, form: str, stage: str) -> Result | None:
        """What a stage found, None where it has not been run to its end."""
        path = self.path(form, stage)
        if not path.exists():
            return None
        kept = json.loads(path.read_text())
        promises = [Promise(**promise) for promise in kept["outcome"]["promises"]]
        return Result(**{**kept, "outcome": Outcome(kept["outcome"]["did"], promises)})

    def path(self, form: str, stage: str) -> Path:
        """Where a stage's result is kept."""
        return self._folder / form / f"{stage}.json"
