"""The sums of a run, which the daemon logs and shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from streamssl.data.drift import Drift
from streamssl.data.events import FloatArray

# Names listed at most.
MAX_NAMED = 64


@dataclass
class Summary:
    """What a run of the engine has done so far.

    Attributes:
        events: Events scored and published.
        dead_letters: Inputs that could not be read.
        bad_fields: Fields of scored events that could not be read and count as missing.
        transactions: Transactions that landed.
        epochs: Epochs learnt.
        samples_trained: Fresh and replayed samples that optimiser steps learnt from.
        anomalies: Events above the threshold.
        incidents: Runs of anomalies that began.
        accepted: Incidents that lasted and became the new normal.
        drifts: Drifts announced, by what drifted.
        last_drift: The newest of them as it was announced, None before the first.
        spaces: Embedding spaces announced, by the reason why they began.
        last_space: The one of the newest vectors, all but its maps; None before the first.
        muted: Events that would have opened an incident but for the budget.
        warming: Events scored while their key was warming.
        keys: Keys with state, at the end of the epoch closed last.
        keys_warming: How many of these were warming then.
        first_time: Earliest event time, None before the first event.
        last_time: Latest event time.
        recovered: Events reproduced from the journal at the start, so far.
        missed: Messages that expired before they were read.
        saved_epoch: Last epoch that the newest checkpoint contains, 0 where there is none.
        unsaved: Events scored after it: the next start reads them again.
        seconds: Since the group was entered.
        channels: Names of the stream's numbers, the first ones.
        num_channels: How many there are.
        left_out: Fields of the first events that are no channels, each with a hint.
        new_fields: Fields that came later and are no channels, with the events seen to have them.
        absent: Channels that no event of the first epoch carried and that have no value yet, each
            with what may be meant.
        vanished: Channels that have no values any more.
        warnings: What is amiss with keys and times, by a fixed word.
    """

    events: int = 0
    dead_letters: int = 0
    bad_fields: int = 0
    transactions: int = 0
    epochs: int = 0
    samples_trained: int = 0
    anomalies: int = 0
    incidents: int = 0
    accepted: int = 0
    muted: int = 0
    drifts: dict[str, int] = field(default_factory=dict)
    last_drift: dict[str, Any] | None = None
    spaces: dict[str, int] = field(default_factory=dict)
    last_space: dict[str, Any] | None = None
    warming: int = 0
    keys: int = 0
    keys_warming: int = 0
    first_time: float | None = None
    last_time: float | None = None
    recovered: int = 0
    missed: int = 0
    saved_epoch: int = 0
    unsaved: int = 0
    seconds: float = 0.0
    channels: list[str] = field(default_factory=list)
    num_channels: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    new_fields: dict[str, int] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    vanished: list[str] = field(default_factory=list)
    warnings: dict[str, str] = field(default_factory=dict)

    def drifted(self, drift: Drift) -> None:
        """Take note of a drift that was announced."""
        self.drifts[drift.what] = self.drifts.get(drift.what, 0) + 1
        self.last_drift = drift._asdict()

    def saw(self, event_time: FloatArray) -> None:
        """Take note of the event times of some events."""
        if len(event_time):
            first, last = float(event_time.min()), float(event_time.max())
            self.first_time = first if self.first_time is None else min(first, self.first_time)
            self.last_time = last if self.last_time is None else max(last, self.last_time)
