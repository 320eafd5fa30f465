"""The tables of the report, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from benchmarks.quality.alerts import AlertCounts, total
from benchmarks.quality.metrics import METRICS
from benchmarks.quality.protocol import CONFIGURED, Outcome, ShiftOutcome

OURS = "streamssl `raw`"
RESIDUAL = "streamssl `raw_residual`"
UNTRAINED = "streamssl, untrained `raw_residual`"
GATED = "gated Mahalanobis, lagged"
PAIRS = (
    (OURS, GATED),
    (OURS, "frozen Mahalanobis, lagged"),
    (RESIDUAL, UNTRAINED),
    (RESIDUAL, "PCA residual, 16 components"),
)
_HEADINGS = {"auroc": "AUROC", "aupr": "AUPR", "vus_pr": "VUS-PR"}
NONE = "-"


def quality_table(outcomes: Sequence[Outcome]) -> str:
    """One row a score column: mean ± standard error, range over seeds, events/s."""
    rows = []
    for row, mine in _by_row(outcomes).items():
        rate = sum(o.num_rows for o in mine) / max(sum(o.seconds for o in mine), 1e-9)
        cells = [_mean_and_error(mine, metric) for metric in METRICS]
        rows.append([row, *cells, _seed_range(mine, "vus_pr"), f"{rate:,.0f}"])
    num_judged = len({o.series for o in outcomes if o.metrics})
    num_series = len({o.series for o in outcomes})
    num_seeds = len({o.seed for o in outcomes})
    note = f"{num_judged} of {num_series} series have labelled anomalies; {num_seeds} seeds."
    headings = ["", *(_HEADINGS[m] for m in METRICS), "VUS-PR by seed", "events/s"]
    return f"{note}\n\n{markdown_table(headings, rows)}"


def pairs_table(outcomes: Sequence[Outcome]) -> str:
    """Series that the first of each pair wins, by metric, and the mean difference."""
    by_row = _by_row(outcomes)
    rows = []
    for first, second in PAIRS:
        if first in by_row and second in by_row:
            cells = [_wins(by_row[first], by_row[second], metric) for metric in METRICS]
            rows.append([f"{first} against {second}", *cells])
    headings = ["series won (mean difference)", *(_HEADINGS[m] for m in METRICS)]
    return markdown_table(headings, rows) if rows else ""


def alert_table(outcomes: Sequence[Outcome], budget: float | str) -> str:
    """The alert layer at each budget, summed over all series and seeds."""
    judged = [o.alerts for o in outcomes if o.alerts]
    if not judged:
        return ""
    rows = []
    for name in judged[0]:
        shown = f"{_budget(budget)} (configured)" if name == CONFIGURED else name
        rows.append([shown, *_alert_cells(total(alerts[name] for alerts in judged))])
    headings = ["alert budget", "segments hit", "false incidents / 10,000 events"]
    return markdown_table([*headings, "alert rate", "on normal rows"], rows)


def per_series_table(outcomes: Sequence[Outcome]) -> str:
    """VUS-PR of each series, folded away."""
    by_row = {row: _per_series(mine, "vus_pr") for row, mine in _by_row(outcomes).items()}
    names = sorted({name for values in by_row.values() for name in values})
    if not names:
        return ""
    rows = [[name, *(number(values.get(name)) for values in by_row.values())] for name in names]
    table = markdown_table(["VUS-PR", *by_row], rows)
    return f"<details><summary>Each series</summary>\n\n{table}\n\n</details>"


def shift_table(shifts: Sequence[ShiftOutcome]) -> str:
    """Events until a permanent shift is accepted, by length of history."""
    histories = sorted({shift.history for shift in shifts})
    rows = []
    for row in dict.fromkeys(shift.row for shift in shifts):
        cells = []
        for history in histories:
            counts = [s.rows_until_accepted for s in shifts if (s.row, s.history) == (row, history)]
            cells.append(" / ".join("never" if c is None else f"{c:,}" for c in counts))
        rows.append([row, *cells])
    note = (
        "Two of four channels move by 8 deviations and stay. Events from the shift until the "
        "median of 64 scores is back below the 99 % quantile from before, one figure a seed "
        "(never: not within 2,000 and half the history, at most 8,000)."
    )
    return f"{note}\n\n{markdown_table(['', *(f'after {h:,} rows' for h in histories)], rows)}"


def _by_row(outcomes: Iterable[Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.row, []).append(outcome)
    return groups


def _per_series(outcomes: Iterable[Outcome], metric: str) -> dict[str, float]:
    """Mean over the seeds, by series."""
    values: dict[str, list[float]] = {}
    for outcome in outcomes:
        if outcome.metrics:
            values.setdefault(outcome.series, []).append(outcome.metrics[metric])
    return {series: float(np.mean(of_seeds)) for series, of_seeds in values.items()}


def _mean_and_error(outcomes: Iterable[Outcome], metric: str) -> str:
    values = np.array(list(_per_series(outcomes, metric).values()))
    if not len(values):
        return NONE
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{number(values.mean())} ± {number(error)}"


def _seed_range(outcomes: Sequence[Outcome], metric: str) -> str:
    judged = [o for o in outcomes if o.metrics]
    seeds = sorted({o.seed for o in judged})
    means = [np.mean([o.metrics[metric] for o in judged if o.seed == seed]) for seed in seeds]
    return f"{number(min(means))} to {number(max(means))}" if means else NONE


def _wins(first: Iterable[Outcome], second: Iterable[Outcome], metric: str) -> str:
    ours, theirs = _per_series(first, metric), _per_series(second, metric)
    gains = np.array([ours[name] - theirs[name] for name in ours if name in theirs])
    if not len(gains):
        return NONE
    return f"{int((gains > 0).sum())} of {len(gains)} ({gains.mean():+.3f})"


def _alert_cells(counts: AlertCounts) -> list[str]:
    share = counts.num_hit / max(counts.num_segments, 1)
    return [
        f"{counts.num_hit} of {counts.num_segments} ({share:.0%})",
        f"{counts.false_per_10k:.2f}",
        f"{counts.alert_rate:.3%}",
        f"{counts.normal_alert_rate:.3%}",
    ]


def _budget(budget: float | str) -> str:
    return f"{budget:.2%}" if isinstance(budget, float) else budget


def number(value: float | np.floating | None) -> str:
    """Three digits after the point, without the zero before it."""
    return NONE if value is None else f"{float(value):.3f}".removeprefix("0")


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of headings and rows of cells, as Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
