"""What the engine asks of the learner, and of whatever it runs in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

from streamssl.data.events import EventBatch, Schema
from streamssl.data.results import Decisions, EpochReport, Results
from streamssl.telemetry.stages import Stages, Took

T_co = TypeVar("T_co", covariant=True)
OnCorruption = Literal["previous", "fail"]


class Learner(Protocol):
    """Deterministic state: no Kafka, no clock. Scores are the same however rows are cut."""

    epoch: int

    @property
    def schema(self) -> Schema | None:
        """The stream's columns, None until the first batch."""

    @property
    def num_open_events(self) -> int:
        """Rows advanced in the open epoch."""

    def target(self) -> int:
        """Events at which the open epoch is full."""

    def advance(self, batch: EventBatch) -> Results:
        """Score with the frozen state and advance the per-key context."""

    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        """Drop a partition's per-key state, then advance it over `batch` without scoring."""

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget uncommitted rows of the open epoch, and the partition's context."""

    def close_epoch(self, decisions: Decisions) -> EpochReport:
        """Learn the open epoch and open the next."""

    def state_crc32c(self) -> int:
        """CRC of the state that scores the open epoch."""


class StatefulLearner(Learner, Protocol):
    """A learner whose state can be taken and given.

    Attributes:
        stages: Where it notes how long its stages take.
    """

    stages: Stages

    def state_dict(self) -> dict[str, Any]:
        """Everything, at an epoch boundary; copies, which no later call changes."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""


class Given(Protocol[T_co]):
    """What was asked for: calling it waits until it is there."""

    def __call__(self) -> T_co:
        """The value; the error that prevented it is raised."""
        ...


@dataclass(frozen=True)
class Restored:
    """A checkpoint that the learner took over.

    Attributes:
        path: Its folder.
        engine: What the engine had saved beside the learner; None for a learner saved alone.
    """

    path: Path
    engine: Mapping[str, Any] | None


@dataclass(frozen=True)
class Written:
    """A checkpoint that is on the disk, or (with no bytes) could not be written.

    Attributes:
        journal: Journal position of its state.
        num_bytes: Size of its files; 0 where it failed.
        seconds: How long writing took, beside everything else.
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


class Host(Learner, Protocol):
    """A learner and the place that it runs in.

    What is asked for is done in the order of asking: `begin` after `begin_close` scores with the
    state that closing the epoch leaves.

    Attributes:
        remember_s: Seconds that `remember` took last.
        saving: Whether a checkpoint is being written.
    """

    remember_s: float
    saving: bool

    def build(self) -> Mapping[str, str | None]:
        """Versions, CPU and threads of the process that the learner runs in.

        Raises:
            StreamsslError: The learner cannot be made there.
        """
        ...

    def begin(self, batch: EventBatch) -> Given[Results]:
        """`advance`, perhaps while the caller does something else."""
        ...

    def begin_close(self, decisions: Decisions) -> Given[Closed]:
        """`close_epoch`, likewise."""
        ...

    def idle(self) -> bool:
        """Whether everything that was asked for is there; waits for nothing."""
        ...

    def restore(self, directory: Path, on_corruption: OnCorruption) -> Restored | None:
        """Take over the newest usable checkpoint of a folder; None where there is none.

        Raises:
            CheckpointError: There are some, but none is usable, or they fit another configuration.
        """
        ...

    def remember(self, engine: Mapping[str, Any], journal: int) -> None:
        """Copy the state, which is that of an epoch's end, with what the engine adds to it."""
        ...

    def save(self, directory: Path, keep: int) -> None:
        """Begin to write what is remembered as the newest checkpoint of a folder."""
        ...

    def saved(self, *, wait: bool = False) -> list[Written]:
        """Checkpoints whose writing has ended since the last call.

        Args:
            wait: Whether to wait for the one that is being written.
        """
        ...

    def took(self) -> list[Took]:
        """Names and seconds of the stages that ran since the last call."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...
