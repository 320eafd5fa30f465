"""The learner as its host sees it: what it does, and what is known of it without asking."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from streamssl.data.events import EventBatch, Schema
from streamssl.data.results import Decisions, EpochReport, Results, Spread
from streamssl.telemetry.stages import Stages


class HostedLearner(Protocol):
    """Deterministic state: no Kafka, no clock. Scores are the same however rows are cut.

    Attributes:
        epoch: Number of the open epoch.
        stages: Where it notes how long its stages take.
    """

    epoch: int
    stages: Stages

    @property
    def schema(self) -> Schema | None:
        """The stream's columns, None until the first batch."""

    @property
    def num_open_events(self) -> int:
        """Rows advanced in the open epoch."""

    def target(self) -> int:
        """Events at which the open epoch is full."""

    def next_target(self) -> int:
        """Events at which the next epoch would be full, were the open one closed now."""

    def advance(self, batch: EventBatch) -> Results:
        """Score with the frozen state and advance the per-key context."""

    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        """Drop a partition's per-key state, then advance it over `batch` without scoring."""

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget uncommitted rows of the open epoch, and the partition's context."""

    def carry_keys(self) -> int:
        """Let what is known of each key hold for its name, whatever partition brings it."""

    def close_epoch(self, decisions: Decisions) -> EpochReport:
        """Learn the open epoch and open the next."""

    def state_crc32c(self) -> int:
        """CRC of the state that scores the open epoch."""

    def spread(self) -> Spread:
        """How far recent embeddings are spread."""

    def state_dict(self) -> dict[str, Any]:
        """Everything, at an epoch boundary; copies, which no later call changes."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""


class LearnerStatus(msgspec.Struct, array_like=True):
    """Where a learner stands in the stream, as its host knows it.

    Attributes:
        epoch: Number of the open epoch.
        schema: The stream's columns, None until the first batch.
        num_open_events: Rows of the open epoch.
        target: Events at which it is full.
        next_target: Events of the next epoch, were the open one closed now.
        state_crc32c: CRC of the state that scores the open epoch.
    """

    epoch: int
    schema: Schema | None
    num_open_events: int
    target: int
    next_target: int
    state_crc32c: int

    @classmethod
    def of(cls, learner: HostedLearner) -> LearnerStatus:
        """The status of a learner in this process, now."""
        return cls(
            epoch=learner.epoch,
            schema=learner.schema,
            num_open_events=learner.num_open_events,
            target=learner.target(),
            next_target=learner.next_target(),
            state_crc32c=learner.state_crc32c(),
        )
