"""`StreamLearner` on decoded events in memory: rates, cost by number of keys, a large checkpoint.

Each measurement runs in a process of its own (see `child.py`), so that no other's memory counts.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from benchmarks.speed.results import CheckpointCost, KeysRow, Rate
from benchmarks.speed.stream import chunks, generate
from streamssl.checkpoint.snapshot import snapshot
from streamssl.config.settings import load_config
from streamssl.data.events import EventBatch
from streamssl.stream import StreamLearner
from streamssl.telemetry.memory import resident_bytes

SETTLED_EVENTS = 20_000  # the first training burst is over, epochs are full-grown


class LearnerTask(msgspec.Struct, kw_only=True):
    """What to measure.

    Attributes:
        events: Events that are timed; as many go before them, all keys at least once.
        settings: As `section.key=value`.
        checkpoint: Whether to measure a checkpoint afterwards, too.
    """

    events: int
    channels: int
    keys: int
    settings: tuple[str, ...] = ()
    seed: int = 0
    checkpoint: bool = False


class KeysFound(msgspec.Struct, kw_only=True):
    """A row of the part `keys`, and what its checkpoint costs if that was asked for."""

    row: KeysRow
    checkpoint: CheckpointCost | None


def measure_rate(task: LearnerTask) -> Rate:
    """Events per second of `process`, in steady state."""
    learner = _learner(task)
    _process(learner, _events(task, task.events))
    seconds = _process(learner, _events(task, task.events, part=1))
    return Rate(id="", name="", events=task.events, seconds=seconds)


def measure_keys(task: LearnerTask) -> KeysFound:
    """Cost per event and memory per key, once every key is known.

    The memory is what the process grew by from ten keys to all of them.
    """
    learner = _learner(task)
    _process(learner, _events(msgspec.structs.replace(task, keys=10), SETTLED_EVENTS))
    before = resident_bytes(os.getpid())
    # A pass over all keys, in small pieces so that the stream itself takes no memory.
    num_first = max(task.keys, task.events)
    _process(learner, _events(task, num_first, every_key_first=True))
    grown = resident_bytes(os.getpid()) - before
    seconds = _process(learner, _events(task, task.events, part=1))
    row = KeysRow(
        keys=task.keys,
        seconds_per_event=seconds / task.events,
        stated_bytes=learner.bytes_per_key(),
        # Below some thousand keys it is lost in what the allocator does.
        measured_bytes=grown / task.keys if task.keys >= 10_000 else None,
    )
    return KeysFound(row=row, checkpoint=_checkpoint(learner, task) if task.checkpoint else None)


def _checkpoint(learner: StreamLearner, task: LearnerTask) -> CheckpointCost:
    """Copy the state as an epoch's end would, and save it as a stop would."""
    with tempfile.TemporaryDirectory(prefix="streamssl-") as folder:
        whole_s = _seconds(lambda: learner.save(folder))
        copy_s = _seconds(lambda: snapshot(learner.state_dict(), copy=False))
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        num_bytes = sum(path.stat().st_size for path in files)
    return CheckpointCost(keys=task.keys, copy_s=copy_s, save_s=whole_s, num_bytes=num_bytes)


def _learner(task: LearnerTask) -> StreamLearner:
    return StreamLearner(load_config(None, task.settings, environ={}))


def _events(
    task: LearnerTask, num_events: int, *, part: int = 0, every_key_first: bool = False
) -> EventBatch:
    return generate(
        num_events,
        num_channels=task.channels,
        num_keys=task.keys,
        num_partitions=1 if task.keys == 1 else 4,
        seed=task.seed,
        part=part,
        every_key_first=every_key_first,
    )


def _process(learner: StreamLearner, batch: EventBatch) -> float:
    """Seconds that the learner takes; cutting the batch is not counted."""
    return sum(_each(learner, chunks(batch)))


def _each(learner: StreamLearner, batches: Iterable[EventBatch]) -> Iterable[float]:
    for batch in batches:
        began_s = time.perf_counter()
        learner.process(batch)
        yield time.perf_counter() - began_s


def _seconds(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s
