"""The benchmark of embeddings from end to end: which streams, which vectors, and the report."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.quality.data import BenchDataError, Series, data_folder, load_series
from benchmarks.quality.detectors import UNTRAINED
from benchmarks.quality.embeddings.fleet import FLEET_SETS, Fleet, as_fleet
from benchmarks.quality.embeddings.ours import OurVectors
from benchmarks.quality.embeddings.plants import PALETTES, make_plant
from benchmarks.quality.embeddings.plots import require_matplotlib
from benchmarks.quality.embeddings.protocol import ColdStartTask, VectorsTask, run_probes
from benchmarks.quality.embeddings.report import EmbeddingsReport
from benchmarks.quality.embeddings.tables import OURS
from benchmarks.quality.embeddings.tables import UNTRAINED as UNTRAINED_ROW
from benchmarks.quality.embeddings.vectors import PEER_VECTORS
from benchmarks.quality.protocol import processes, run_all
from benchmarks.quality.run import Progress
from streamssl.config.settings import load_config

STREAMS = (*FLEET_SETS, *PALETTES)


@dataclass(frozen=True, slots=True)
class EmbeddingsRun:
    """What to run.

    Attributes:
        overrides: Settings of ours as `section.key=value`, the same for every stream.
        num_seeds: The seeds 0 to `num_seeds - 1`; plants are generated anew for each.
        jobs: Processes of one thread each.
        with_peers: Run the peers beside ours.
    """

    overrides: tuple[str, ...] = ()
    num_seeds: int = 3
    jobs: int = 2
    with_peers: bool = True

    def vectors(self) -> list[OurVectors | str]:
        """Ours, ours untrained where anything is trained, and the peers."""
        config = load_config(None, self.overrides, environ={})
        found: list[OurVectors | str] = [OurVectors(OURS, self.overrides)]
        if config.learn.enabled:
            found.append(OurVectors(UNTRAINED_ROW, (*self.overrides, *UNTRAINED)))
        return [*found, *PEER_VECTORS] if self.with_peers else found

    def run(
        self, streams: Sequence[str], folder: Path | None, command: str, progress: Progress
    ) -> EmbeddingsReport:
        """Run everything; `progress` is told the tasks done, and how many there are."""
        require_matplotlib()
        sets = read_sets(streams, folder)
        tasks = [*self._probes(streams, sets), *self._cold_starts(sets)]
        ticks = itertools.count(1)
        with processes(self.jobs) as pool:
            probed = run_all(pool, run_probes, tasks, lambda: progress(next(ticks), len(tasks)))
        return EmbeddingsReport(command, self.num_seeds, probed)

    def _probes(
        self, streams: Sequence[str], sets: dict[str, list[Series]]
    ) -> list[VectorsTask | ColdStartTask]:
        fleets = {name: as_fleet(name, series) for name, series in sets.items()}
        return [
            VectorsTask(vectors, fleet, seed)
            for name in streams
            for seed in range(self.num_seeds)
            for fleet in (_fleet(fleets, name, seed),)
            for vectors in self.vectors()
        ]

    def _cold_starts(self, sets: dict[str, list[Series]]) -> list[VectorsTask | ColdStartTask]:
        return [
            ColdStartTask(series, machine, seed, self.overrides)
            for series in sets.values()
            for seed in range(self.num_seeds)
            for machine in range(len(series))
        ]


def read_sets(streams: Sequence[str], folder: Path | None) -> dict[str, list[Series]]:
    """Series of the public sets among the streams; generated ones need no data.

    Raises:
        BenchDataError: The data are missing, or a stream is unknown.
    """
    unknown = sorted(set(streams) - set(STREAMS))
    if unknown:
        raise BenchDataError(f"Unknown stream {unknown[0]!r}; valid are {', '.join(STREAMS)}.")
    names = [name for name in streams if name in FLEET_SETS]
    root = data_folder(folder) if names else None
    return {name: load_series(root, name) for name in names if root is not None}


def _fleet(fleets: dict[str, Fleet], name: str, seed: int) -> Fleet:
    return fleets[name] if name in fleets else make_plant(name, seed)
