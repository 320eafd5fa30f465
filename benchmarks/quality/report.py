"""The report: one table a set, the bad ones too, and every series in JSON beside it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.quality.page import SCORES, write_part
from benchmarks.quality.protocol import Outcome, ShiftOutcome
from benchmarks.quality.tables import (
    alert_table,
    pairs_table,
    per_series_table,
    quality_table,
    shift_table,
)

_INTRODUCTION = """\
Prequential: an event is scored, then learned, in one pass in file order; no labels, no look-ahead,
no setting per set; each series starts from nothing, and only the rows after its warm-up count.
AUROC, AUPR (average precision) and VUS-PR (TSB-AD's definition; the window is the period of the
first channel) are means over the series with labelled anomalies, each series averaged over its
seeds, ± the standard error over series; the range is that of the seeds' means.
Peers (`benchmarks/quality`) run beside, on the same rows: *gated* learns the first 400 rows and
then those whose score is under the running 90 % quantile of the learnt rows' scores (others with
probability .01); *lagged* means about 100 dimensions of recent rows; *frozen* is told its warm-up,
learns it, then never; *PCA residual* is fitted on the warm-up, and its residual vector (last row,
mean over 32 rows) goes through a Mahalanobis distance, ridge .1, behind a slow gate with quarantine
like the product's. The gated peer's leak and the PCA's gate were chosen on these sets, to make them
as strong as we could. *Untrained* is the same configuration without any training of the networks.
Events/s: one thread, this run, with the other
processes of the run beside it."""


@dataclass(frozen=True, slots=True)
class Report:
    """What was run and what came out.

    Attributes:
        command: The command line.
        budget: The configured alert budget, as given.
        outcomes: All of them, in the order of the run.
        shifts: The permanent level shifts.
    """

    command: str
    budget: float | str
    outcomes: Sequence[Outcome]
    shifts: Sequence[ShiftOutcome]

    def write(self, path: Path) -> None:
        """Write the page, and `<page>/<set>.json` with every series beside it."""
        folder = path.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        for set_name, outcomes in _by_set(self.outcomes).items():
            lines = ",\n".join(json.dumps(_record(outcome)) for outcome in outcomes)
            (folder / f"{set_name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        write_part(path, SCORES, self.markdown(folder.name))

    def markdown(self, folder: str) -> str:
        """The page; `folder` is where the JSON files lie, beside it."""
        parts = ["# Quality", f"`{self.command}`", _INTRODUCTION, versions()]
        for set_name, outcomes in _by_set(self.outcomes).items():
            parts += [f"## {set_name}", quality_table(outcomes), pairs_table(outcomes)]
            parts += [alert_table(outcomes, self.budget)]
            parts += [
                per_series_table(outcomes),
                f"All columns and seeds: `{folder}/{set_name}.json`.",
            ]
        parts += ["## A permanent level shift", shift_table(self.shifts)]
        return "\n\n".join(part for part in parts if part) + "\n"


def versions() -> str:
    """What ran: Python, the packages that decide figures, the processor."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("streamssl", "numpy", "torch"))
    return f"Python {platform.python_version()}, {packages}, {platform.machine()}."


def _by_set(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.set_name, []).append(outcome)
    return groups


def _record(outcome: Outcome) -> Mapping[str, object]:
    record = asdict(outcome)
    del record["set_name"]
    record["metrics"] = {name: round(value, 4) for name, value in outcome.metrics.items()}
    record["seconds"] = round(outcome.seconds, 3)
    return {name: value for name, value in record.items() if value != {}}
