"""The quality benchmark from end to end: which series, which detectors, and the report."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.data import SENSOR_SETS, BenchDataError, Series, data_folder, load_series
from benchmarks.quality.detectors import UNTRAINED, Detector, PeerDetector, StreamDetector
from benchmarks.quality.peers import PEERS
from benchmarks.quality.protocol import (
    processes,
    run_all,
    run_shift,
    run_task,
    series_tasks,
    shift_tasks,
)
from benchmarks.quality.report import Report
from benchmarks.quality.synthetic import SHIFT_HISTORIES, mini_suite
from benchmarks.quality.tables import GATED
from streamssl.config.settings import load_config

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class QualityRun:
    """What to run.

    Attributes:
        overrides: Settings of ours as `section.key=value`, the same for every series.
        num_seeds: Ours and the peers run with the seeds 0 to `num_seeds - 1`.
        jobs: Processes of one thread each.
        with_peers: Run the peers beside ours.
        histories: Lengths of history before the permanent level shift.
    """

    overrides: tuple[str, ...] = ()
    num_seeds: int = 3
    jobs: int = 2
    with_peers: bool = True
    histories: tuple[int, ...] = SHIFT_HISTORIES

    def detectors(self) -> list[Detector]:
        """Ours, ours untrained where a trained column exists, and the peers."""
        config = load_config(None, self.overrides, environ={})
        found: list[Detector] = [StreamDetector(overrides=self.overrides)]
        if config.scorers.residual.enabled and config.learn.enabled:
            overrides = (*self.overrides, *UNTRAINED)
            found.append(StreamDetector("streamssl, untrained", overrides, ("raw_residual",)))
        if self.with_peers:
            found.extend(PeerDetector(name) for name in PEERS)
        return found

    def run(self, series: Sequence[Series], command: str, progress: Progress) -> Report:
        """Run everything; `progress` is told the tasks done, and how many there are."""
        config = load_config(None, self.overrides, environ={})
        tasks = series_tasks(self.detectors(), series, self.num_seeds)
        shifts = shift_tasks(self._shift_detectors(), self.histories, self.num_seeds)
        ticks = itertools.count(1)

        def done() -> None:
            progress(next(ticks), len(tasks) + len(shifts))

        with processes(self.jobs) as pool:
            outcomes = run_all(pool, run_task, tasks, done)
            accepted = run_all(pool, run_shift, shifts, done)
        return Report(command, config.alerts.budget, outcomes, accepted)

    def _shift_detectors(self) -> list[Detector]:
        ours = StreamDetector(overrides=self.overrides, columns=("raw",))
        return [ours, PeerDetector(GATED)] if self.with_peers else [ours]


def suite_series(suite: str, sets: Sequence[str], folder: Path | None) -> list[Series]:
    """The series of a suite: `sensor` reads the public sets, `synthetic` is generated.

    Raises:
        BenchDataError: The data are missing, or a set is unknown.
    """
    if suite == "synthetic":
        return mini_suite()
    unknown = sorted(set(sets) - set(SENSOR_SETS))
    if unknown:
        raise BenchDataError(f"Unknown set {unknown[0]!r}; valid are {', '.join(SENSOR_SETS)}.")
    root = data_folder(folder)
    return [series for name in sets for series in load_series(root, name)]
