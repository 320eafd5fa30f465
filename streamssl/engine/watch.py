"""What the engine tells the world: figures, health, one summary."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from streamssl.config.root import Config
from streamssl.engine.checkpoints import Saved
from streamssl.engine.draft import Draft
from streamssl.engine.recovery import JournalReplay
from streamssl.events import INCIDENT_STATES, EpochReport
from streamssl.transport.base import PartitionOutput

log = logging.getLogger(__name__)


@dataclass
class Summary:
    """What a run did.

    Attributes:
        events: Events scored and published.
        dead_letters: Inputs that could not be read.
        epochs: Epochs learnt.
        samples_trained: Fresh and replayed samples that optimiser steps learnt from.
        anomalies: Events above the threshold.
        incidents: Runs of anomalies that began.
        recovered: Events replayed from the journal at the start.
        missed: Messages that expired before they were read.
        seconds: Since the first poll.
    """

    events: int = 0
    dead_letters: int = 0
    epochs: int = 0
    samples_trained: int = 0
    anomalies: int = 0
    incidents: int = 0
    recovered: int = 0
    missed: int = 0
    seconds: float = 0.0


class Watch:
    """Turns what the loop does into figures.

    Args:
        config: The configuration.
        metrics: The metric catalogue.
        health: The lifecycle.
        clock: Seconds that only grow.
    """

    def __init__(
        self, *, config: Config, metrics: Any, health: Any, clock: Callable[[], float]
    ) -> None:
        self.summary = Summary()
        self._clock = clock
        self._began_s = clock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage of the journey."""
        yield

    def recovering(self) -> None:
        """The journal is being replayed."""

    def recovered(self, replay: JournalReplay, *, gap: bool) -> None:
        """The state is where the journal ends."""
        self.summary.recovered = replay.num_events

    def running(self) -> None:
        """The group was entered."""
        self._began_s = self._clock()

    def committed(self, draft: Draft, parts: Mapping[int, PartitionOutput]) -> None:
        """A transaction landed."""
        summary = self.summary
        summary.seconds = self._clock() - self._began_s
        for partition, part in parts.items():
            summary.dead_letters += len(draft.parts[partition].dead_letters)
            for results in part.results:
                summary.events += len(results.batch)
                summary.anomalies += int(results.anomaly.sum())
                starts = results.incident_state == INCIDENT_STATES.index("start")
                summary.incidents += int(starts.sum())

    def learnt(self, report: EpochReport) -> None:
        """An epoch closed."""
        self.summary.epochs += 1
        self.summary.samples_trained += report.num_trained

    def missed(self, num_messages: int) -> None:
        """Input expired before it was read."""
        self.summary.missed += num_messages

    def checkpointed(self, saved: Saved) -> None:
        """A checkpoint was written, or could not be."""

    def draining(self) -> None:
        """The end was asked for."""
