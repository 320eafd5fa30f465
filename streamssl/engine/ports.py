"""What the engine asks of the learner and of the codec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from streamssl.codecs.base import Decoder
from streamssl.events import (
    DeadLetter,
    Decisions,
    EpochReport,
    EventBatch,
    OutputRecord,
    Results,
)


class Learner(Protocol):
    """Deterministic state: no Kafka, no clock. Scores are the same however rows are cut."""

    epoch: int

    @property
    def fields(self) -> tuple[str, ...] | None:
        """The channels, None until the first batch."""

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

    def state_dict(self) -> dict[str, Any]:
        """Everything, at an epoch boundary."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""


class Codec(Protocol):
    """Bytes to columns on the way in, columns to bytes on the way out."""

    @property
    def decoder(self) -> Decoder:
        """Reads the input."""

    def encode(
        self, results: Results | None, dead_letters: tuple[DeadLetter, ...]
    ) -> list[OutputRecord]:
        """Records for one partition's part of one transaction; None where no event was read."""
