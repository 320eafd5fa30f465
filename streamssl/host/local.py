"""The learner in the engine's own process: what is asked for is there at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from streamssl.checkpoint import CheckpointError
from streamssl.checkpoint.snapshot import Snapshot, snapshot
from streamssl.checkpoint.store import load_newest, write
from streamssl.data.events import EventBatch
from streamssl.data.results import Decisions, Results, Spread
from streamssl.host.base import Closed, Host, OnCorruption, Restored, Written
from streamssl.host.learner import HostedLearner, LearnerStatus
from streamssl.learner.build import build
from streamssl.telemetry.log_events import tell
from streamssl.telemetry.stages import StageTime

log = logging.getLogger(__name__)

T = TypeVar("T")


class LocalHost(Host):
    """Runs a learner in this process.

    Args:
        learner: The learner.
        background_save: Whether checkpoints are written on a thread of their own; else writing
            one is over when `save` returns.
    """

    def __init__(self, learner: HostedLearner, *, background_save: bool = False) -> None:
        self._learner, self._background_save = learner, background_save
        self._remembered: tuple[Snapshot, int, int] | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        self._writing: Future[Written] | None = None

    @property
    def status(self) -> LearnerStatus:
        """Where the learner stands now."""
        return LearnerStatus.of(self._learner)

    @property
    def num_open_events(self) -> int:
        """Rows of the open epoch; asked for often."""
        return self._learner.num_open_events

    def target(self) -> int:
        """Events at which the open epoch is full; asked for often."""
        return self._learner.target()

    def check_alive(self) -> None:
        """It lives as long as this process."""

    def build(self) -> Mapping[str, str | None]:
        """Versions, CPU and threads of this process."""
        return build()

    def submit(self, batch: EventBatch) -> Future[Results]:
        """Score a batch and advance the context before returning."""
        return _done(self._learner.advance(batch))

    def close_epoch(self, decisions: Decisions) -> Future[Closed]:
        """Learn the open epoch before returning."""
        with self._learner.stages("learn"):
            report = self._learner.close_epoch(decisions)
        return _done(Closed(report, self._learner.state_crc32c()))

    def spread(self) -> Future[Spread]:
        """How far recent embeddings are spread, at once."""
        return _done(self._learner.spread())

    def idle(self) -> bool:
        """Always true: nothing is under way when a call returns."""
        return True

    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        """Drop a partition's per-key state, then advance it over `batch` without scoring."""
        self._learner.rebuild(partition, batch)

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget uncommitted rows of the open epoch, and the partition's context."""
        self._learner.discard(partition, from_offset)

    def skip_to(self, epoch: int) -> None:
        """Leave out the epochs before `epoch`, which is the open one from now on."""
        self._learner.epoch = epoch

    def restore(self, directory: Path, on_corruption: OnCorruption) -> Restored | None:
        """Take over the newest usable checkpoint of a folder; None where there is none."""
        found = load_newest(directory, on_corruption=on_corruption)
        if found is None:
            return None
        try:
            self._learner.load_state_dict(found.state.get("learner", found.state))
        except CheckpointError as error:
            raise CheckpointError(
                f"{found.path}: {error}, or name an empty app.state_dir and set "
                "app.on_missing_state: fresh"
            ) from error
        return Restored(found.path, found.state.get("engine"))

    def carry_keys(self) -> int:
        """Let what is known of each key hold for its name; how many there are."""
        return self._learner.carry_keys()

    def remember(self, engine: Mapping[str, Any], journal: int) -> None:
        """Copy the state, which is that of an epoch's end, with what the engine adds to it."""
        began_s = time.perf_counter()
        self._remembered = None  # Two copies in memory would be one too many.
        with self._learner.stages("checkpoint"):
            state = {"learner": self._learner.state_dict(), "engine": dict(engine)}
            # The learner's part is a copy already.
            self._remembered = snapshot(state, copy=False), self._learner.epoch, journal
        self.remember_s = time.perf_counter() - began_s

    def save(self, directory: Path, keep: int) -> None:
        """Begin to write what is remembered as the newest checkpoint of a folder."""
        if self._remembered is not None:
            taken, self._remembered = self._remembered, None
            self._writing = self._writer.submit(_write, directory, *taken, keep)
            if not self._background_save:
                self._writing.result()

    @property
    def saving(self) -> bool:
        """Whether a checkpoint is being written."""
        return self._writing is not None and not self._writing.done()

    def saved(self, *, wait: bool = False) -> list[Written]:
        """Checkpoints whose writing has ended since the last call."""
        if self._writing is None or not (wait or self._writing.done()):
            return []
        written, self._writing = self._writing.result(), None
        return [written]

    def stage_times(self) -> list[StageTime]:
        """Names and seconds of the stages that ran since the last call."""
        return self._learner.stages.take()

    def close(self) -> None:
        """Let the last checkpoint be finished."""
        self._writer.shutdown()


def _done(value: T) -> Future[T]:
    future: Future[T] = Future()
    future.set_result(value)
    return future


def _write(directory: Path, taken: Snapshot, epoch: int, journal: int, keep: int) -> Written:
    began_s = time.perf_counter()
    position, num_bytes = {"epoch": epoch, "journal": journal}, 0
    try:
        path = write(directory, taken, position=position, keep=keep)
        num_bytes = sum(file.stat().st_size for file in path.iterdir())
    except CheckpointError:
        # The journal still holds everything: the next attempt may find more room.
        tell(log, "checkpoint_failed", with_traceback=True)
    return Written(journal, num_bytes, time.perf_counter() - began_s)
