"""What the engine asks of the place that the learner runs in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from streamssl.data.events import EventBatch, Schema
from streamssl.data.results import Decisions, EpochReport, Results, Spread
from streamssl.host.learner import LearnerStatus
from streamssl.telemetry.stages import StageTime

OnCorruption = Literal["previous", "fail"]


@dataclass(frozen=True)
class Restored:
    """A checkpoint that the learner took over.

    Attributes:
        path: Its folder.
        engine: What the engine had saved with the learner; None for a learner saved alone.
    """

    path: Path
    engine: Mapping[str, Any] | None


@dataclass(frozen=True)
class Written:
    """A checkpoint that is on the disk, or (with no bytes) could not be written.

    Attributes:
        journal: Journal position of its state.
        num_bytes: Size of its files; 0 where it failed.
        seconds: How long writing took.
    """

    journal: int
    num_bytes: int
    seconds: float


class Closed(NamedTuple):
    """An epoch that was closed.

    Attributes:
        report: What learning it did.
        state_crc32c: CRC of the state that it left, which scores the next epoch.
    """

    report: EpochReport
    state_crc32c: int


class Host(ABC):
    """A learner and the place that it runs in.

    What is asked for is done in the order of asking: `submit` after `close_epoch` scores with the
    state that closing the epoch leaves. The status tells what the learner will be once all that
    was asked for is done; its schema and CRC are those of the last answer.

    Attributes:
        remember_s: Seconds that `remember` took last.
    """

    remember_s: float = 0.0

    @property
    @abstractmethod
    def status(self) -> LearnerStatus:
        """Where the learner stands; known without asking it."""

    @property
    def epoch(self) -> int:
        """Number of the open epoch."""
        return self.status.epoch

    @property
    def schema(self) -> Schema | None:
        """The stream's columns, None until the first batch."""
        return self.status.schema

    @property
    def num_open_events(self) -> int:
        """Rows of the open epoch, those included that are being scored."""
        return self.status.num_open_events

    def target(self) -> int:
        """Events at which the open epoch is full."""
        return self.status.target

    def state_crc32c(self) -> int:
        """CRC of the state that scores the open epoch."""
        return self.status.state_crc32c

    @abstractmethod
    def check_alive(self) -> None:
        """Return if the learner can go on; asks it nothing.

        Raises:
            LearnerProcessError: Its process has ended by itself.
        """

    @abstractmethod
    def build(self) -> Mapping[str, str | None]:
        """Versions, CPU and threads of the process that the learner runs in.

        Raises:
            StreamsslError: The learner cannot be made there.
        """

    @abstractmethod
    def submit(self, batch: EventBatch) -> Future[Results]:
        """Score a batch with the frozen state and advance the per-key context."""

    @abstractmethod
    def close_epoch(self, decisions: Decisions) -> Future[Closed]:
        """Learn the open epoch and open the next."""

    @abstractmethod
    def spread(self) -> Future[Spread]:
        """How far recent embeddings are spread: asked for where somebody wants to know."""

    @abstractmethod
    def idle(self) -> bool:
        """Whether everything that was asked for is done; waits for nothing."""

    @abstractmethod
    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        """Drop a partition's per-key state, then advance it over `batch` without scoring."""

    @abstractmethod
    def discard(self, partition: int, from_offset: int) -> None:
        """Forget uncommitted rows of the open epoch, and the partition's context."""

    @abstractmethod
    def skip_to(self, epoch: int) -> None:
        """Leave out the epochs before `epoch`, which is the open one from now on."""

    @abstractmethod
    def restore(self, directory: Path, on_corruption: OnCorruption) -> Restored | None:
        """Take over the newest usable checkpoint of a folder; None where there is none.

        Raises:
            CheckpointError: There are some, but none is usable, or they fit another configuration.
        """

    @abstractmethod
    def carry_keys(self) -> int:
        """Let what is known of each key hold for its name, whatever partition brings it.

        Returns:
            How many keys there are.
        """

    @abstractmethod
    def remember(self, engine: Mapping[str, Any], journal: int) -> None:
        """Copy the state, which is that of an epoch's end, with what the engine adds to it."""

    @abstractmethod
    def save(self, directory: Path, keep: int) -> None:
        """Begin to write what is remembered as the newest checkpoint of a folder."""

    @property
    @abstractmethod
    def saving(self) -> bool:
        """Whether a checkpoint is being written."""

    @abstractmethod
    def saved(self, *, wait: bool = False) -> list[Written]:
        """Checkpoints whose writing has ended since the last call.

        Args:
            wait: Whether to wait for the one that is being written.
        """

    @abstractmethod
    def stage_times(self) -> list[StageTime]:
        """Names and seconds of the stages that ran since the last call."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the learner and of its process."""
