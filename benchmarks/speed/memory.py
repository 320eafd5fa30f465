"""The part `memory`: the decoded events in memory, no Kafka at all; and `replay`, file to file."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.speed.bars import REPLAY, REPLAY_CORE
from benchmarks.speed.child import MeasurementError, measure, output_of
from benchmarks.speed.learner import LearnerTask
from benchmarks.speed.machine import matrix_rate
from benchmarks.speed.plan import CORE, NUM_CHANNELS, NUM_KEYS, Say, SpeedPlan
from benchmarks.speed.results import Rate, Rates
from benchmarks.speed.scripts import NO_PEERS, PEERS, has_peers, run_script
from benchmarks.speed.stream import KEY_FIELD, as_table, generate
from benchmarks.speed.work import total_operations

SHAPES = ((38, 1), (NUM_CHANNELS, NUM_KEYS))
OURS = (("default", "streamssl, default", ()), ("core", "streamssl, statistical core alone", CORE))
REPLAYS = (
    (REPLAY, "streamssl replay, default", ()),
    (REPLAY_CORE, "streamssl replay, statistical core alone", CORE),
)
# Detector -> (its name, the part of the peers' events that it gets: slow ones get a prefix).
DETECTORS = {
    "hst": ("river HalfSpaceTrees behind MinMaxScaler", 1),
    "hst-bare": ("river HalfSpaceTrees alone", 1),
    "rrcf": ("rrcf, 40 trees of 256", 40),
    "autoencoder": ("deep-river Autoencoder", 10),
}
_TOLD = re.compile(r"^events +([\d,]+) in [\d.]+ s, ([\d,]+) events/s", re.MULTILINE)


def measure_memory(plan: SpeedPlan, say: Say) -> Rates:
    """Every detector on both shapes, then `replay` at 38 channels."""
    found = Rates(rows=[], left_out=[] if has_peers() else [NO_PEERS])
    found.operations_per_s = matrix_rate()
    with tempfile.TemporaryDirectory(prefix="speed-") as folder:
        for name, measurement in _rows(plan, Path(folder)):
            say(name)
            try:
                found.rows.append(measurement())
            except MeasurementError as error:
                found.left_out.append(f"{name}: {error}")
    for channels, keys in SHAPES:
        for id_, _, settings in OURS:
            operations = total_operations(plan.config(*settings), channels, keys)
            found.operations[f"{id_}-{channels}"] = operations
    return found


def replay_rate(output: str) -> tuple[int, float]:
    """Events and seconds of the summary that `streamssl replay` prints.

    Example:
        >>> replay_rate("events        1,200 in 0.5 s, 2,400 events/s (start-up 1.0 s)")
        (1200, 0.5)

    Raises:
        MeasurementError: There is no such line.
    """
    found = _TOLD.search(output)
    if not found:
        raise MeasurementError(f"replay told no rate: {output[-200:]}")
    events, per_s = (int(text.replace(",", "")) for text in found.groups())
    return events, events / max(per_s, 1)


def _rows(plan: SpeedPlan, folder: Path) -> Iterator[tuple[str, Callable[[], Rate]]]:
    for channels, keys in SHAPES:
        for id_, name, settings in OURS:
            yield f"{name}, {channels} channels", _ours(plan, id_, name, settings, channels, keys)
        if has_peers():
            values = _values_file(plan, folder, channels, keys)
            for detector in DETECTORS:
                yield f"{detector}, {channels} channels", _peer(plan, detector, values, channels)
    for id_, name, settings in REPLAYS:
        yield name, _replay(plan, folder, id_, name, settings)


def _ours(
    plan: SpeedPlan, id_: str, name: str, settings: tuple[str, ...], channels: int, keys: int
) -> Callable[[], Rate]:
    def measurement() -> Rate:
        task = LearnerTask(
            events=plan.memory_events,
            channels=channels,
            keys=keys,
            settings=(*plan.settings, *settings),
            seed=plan.seed,
        )
        rate = measure("rate", task, Rate)
        rate.id, rate.name = f"{id_}-{channels}", name
        return rate

    return measurement


def _peer(plan: SpeedPlan, detector: str, values: Path, channels: int) -> Callable[[], Rate]:
    def measurement() -> Rate:
        name, part = DETECTORS[detector]
        most = plan.peer_events // part
        task = {"detector": detector, "values": str(values), "events": most}
        told = run_script("peers/memory.py", task, PEERS)
        return Rate(
            id=f"{detector}-{channels}",
            name=name,
            events=told["events"],
            seconds=told["seconds"],
            note=f"a prefix of {told['events']:,} events" if part > 1 else "",
        )

    return measurement


def _replay(
    plan: SpeedPlan, folder: Path, id_: str, name: str, settings: tuple[str, ...]
) -> Callable[[], Rate]:
    def measurement() -> Rate:
        source = folder / "replay.parquet"
        if not source.exists():
            _write(plan, source)
        files = ["--input", str(source), "--output", str(folder / f"scores-{id_}.parquet")]
        words = [word for setting in (*plan.settings, *settings) for word in ("--set", setting)]
        command = [
            sys.executable,
            "-m",
            "streamssl",
            "replay",
            *files,
            "--key-column",
            KEY_FIELD,
            *words,
        ]
        events, seconds = replay_rate(output_of(command))
        return Rate(id=id_, name=name, events=events, seconds=seconds, note="from first event on")

    return measurement


def _write(plan: SpeedPlan, path: Path) -> None:
    """The events of the 38 channels, twice as many as the in-memory rows time."""
    channels, keys = SHAPES[0]
    batch = generate(
        2 * plan.memory_events,
        num_channels=channels,
        num_keys=keys,
        num_partitions=1,
        seed=plan.seed,
    )
    pq.write_table(pa.Table.from_batches([as_table(batch)]), path)


def _values_file(plan: SpeedPlan, folder: Path, channels: int, keys: int) -> Path:
    path = folder / f"values-{channels}.npy"
    num_events = 2 * max(plan.peer_events, 50)
    batch = generate(num_events, num_channels=channels, num_keys=keys, seed=plan.seed)
    np.save(path, batch.values_BC)
    return path
