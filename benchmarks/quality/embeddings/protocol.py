"""The run: every vector of every stream probed, and machines that join; tasks for processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.quality.data import Series
from benchmarks.quality.embeddings.cold_start import cold_start
from benchmarks.quality.embeddings.faults import probe_incidents
from benchmarks.quality.embeddings.fleet import Fleet
from benchmarks.quality.embeddings.ours import OurVectors
from benchmarks.quality.embeddings.rows import probe_rows
from benchmarks.quality.embeddings.tally import Ratio
from benchmarks.quality.embeddings.vectors import PEER_VECTORS, Vectors

PROBES, ANCHORS, COLD_START = "probes", "anchors", "cold start"


@dataclass(frozen=True, slots=True)
class Probed:
    """One figure of one row of the report, from one stream and seed.

    Attributes:
        table: `probes`, `anchors` or `cold start`.
        stream: Name of the stream.
        seed: Of the learner, and of a generated plant.
        row: Name of the vector, or of a slice of it.
        probe: What was measured.
        found: The figure by machine.
    """

    table: str
    stream: str
    seed: int
    row: str
    probe: str
    found: Ratio


@dataclass(frozen=True, slots=True)
class VectorsTask:
    """One kind of vectors on one stream: ours, or a peer's by its name in `PEER_VECTORS`."""

    vectors: OurVectors | str
    fleet: Fleet
    seed: int


@dataclass(frozen=True, slots=True)
class ColdStartTask:
    """One machine of a set that joins the others."""

    series: Sequence[Series]
    machine: int
    seed: int
    overrides: tuple[str, ...] = ()


def run_probes(task: VectorsTask | ColdStartTask) -> list[Probed]:
    """Every figure of a task."""
    if isinstance(task, ColdStartTask):
        stream = task.series[0].set_name
        rows = cold_start(task.series, task.machine, task.seed, task.overrides)
        return [
            one
            for row, found in rows.items()
            for one in _probed(COLD_START, stream, task.seed, row, found)
        ]
    vectors, anchors = _vectors(task)
    probed = _probed(ANCHORS, task.fleet.name, task.seed, vectors.name, anchors)
    for row, part_TKD in vectors.parts():
        found = probe_rows(part_TKD, task.fleet) | probe_incidents(part_TKD, task.fleet)
        probed += _probed(PROBES, task.fleet.name, task.seed, row, found)
    return probed


def _vectors(task: VectorsTask) -> tuple[Vectors, Mapping[str, Ratio]]:
    if isinstance(task.vectors, str):
        return PEER_VECTORS[task.vectors](task.fleet), {}
    return task.vectors.embed(task.fleet, task.seed)


def _probed(
    table: str, stream: str, seed: int, row: str, found: Mapping[str, Ratio]
) -> list[Probed]:
    return [Probed(table, stream, seed, row, probe, one) for probe, one in found.items()]
