"""The run: every detector over every series and seed, each from nothing, in one pass.

Prequential: an event is scored, then learned; no labels, no look-ahead, no setting per set.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from benchmarks.quality.alerts import AlertCounts, at_budget, count_alerts
from benchmarks.quality.data import Series
from benchmarks.quality.detectors import AlertColumns, Detector
from benchmarks.quality.metrics import evaluate
from benchmarks.quality.synthetic import level_shift, rows_until_accepted
from streamssl.arithmetic.threads import THREAD_VARIABLES
from streamssl.config.sections import AlertsConfig

CONFIGURED = "configured"
OTHER_BUDGET = 0.01
T = TypeVar("T")
Task = TypeVar("Task")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One score column of one detector on one series with one seed.

    Attributes:
        row: Name of the column in the report.
        metrics: As `evaluate` gives them; empty where the series has no anomalies.
        num_rows: Events of the series.
        seconds: Time of the detector's whole pass, on one thread.
        alerts: Counts by budget, on the one column of a detector that has alerts.
    """

    set_name: str
    series: str
    seed: int
    row: str
    metrics: Mapping[str, float]
    num_rows: int
    seconds: float
    alerts: Mapping[str, AlertCounts] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ShiftOutcome:
    """How long a permanent level shift stayed anomalous; None: to the end."""

    row: str
    history: int
    seed: int
    rows_until_accepted: int | None


@dataclass(frozen=True, slots=True)
class DetectorTask:
    """One detector, one series, one seed."""

    detector: Detector
    series: Series
    seed: int


def run_task(task: DetectorTask) -> list[Outcome]:
    """One pass, and its columns judged."""
    series = task.series
    start = time.perf_counter()
    detection = task.detector.detect(series, task.seed)
    seconds = time.perf_counter() - start
    alerts = _alert_counts(detection.alerts, series) if detection.alerts else {}
    outcomes: list[Outcome] = []
    for row, scores in detection.scores.items():
        metrics = evaluate(scores, series.label, series.use, series.values_NC)
        outcomes.append(
            Outcome(
                series.set_name,
                series.name,
                task.seed,
                row,
                metrics,
                len(series.label),
                seconds,
                {} if outcomes else alerts,
            )
        )
    return outcomes


def run_shift(task: DetectorTask) -> list[ShiftOutcome]:
    """One pass over a permanent level shift."""
    scores = task.detector.detect(task.series, task.seed).scores
    history = task.series.num_warmup
    return [
        ShiftOutcome(row, history, task.seed, rows_until_accepted(column, history))
        for row, column in scores.items()
    ]


def series_tasks(
    detectors: Sequence[Detector], series: Sequence[Series], num_seeds: int
) -> list[DetectorTask]:
    """Every detector on every series with the seeds 0, 1, ..., the longest first."""
    longest = sorted(series, key=lambda s: -s.values_NC.size)
    return [
        DetectorTask(d, s, seed) for s in longest for seed in range(num_seeds) for d in detectors
    ]


def shift_tasks(
    detectors: Sequence[Detector], histories: Sequence[int], num_seeds: int
) -> list[DetectorTask]:
    """Every detector on a permanent level shift after each length of history."""
    return [
        DetectorTask(d, level_shift(history, seed), seed)
        for history in histories
        for seed in range(num_seeds)
        for d in detectors
    ]


@contextmanager
def processes(jobs: int) -> Iterator[Executor]:
    """`jobs` processes of one BLAS thread each, which they read from the environment at birth."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_all(
    pool: Executor,
    work: Callable[[Task], list[T]],
    tasks: Sequence[Task],
    done: Callable[[], None],
) -> list[T]:
    """Results of all tasks, in the tasks' order; `done` is called after each."""
    results: list[T] = []
    for outcomes in pool.map(work, tasks):
        results.extend(outcomes)
        done()
    return results


def _alert_counts(columns: AlertColumns, series: Series) -> dict[str, AlertCounts]:
    other = at_budget(columns, OTHER_BUDGET, AlertsConfig().incident_gap)
    return {
        CONFIGURED: count_alerts(columns.anomaly, columns.incident, series.label, series.use),
        f"{OTHER_BUDGET:.0%}": count_alerts(*other, series.label, series.use),
    }
