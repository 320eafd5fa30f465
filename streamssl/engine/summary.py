"""The sums of a run, which the daemon logs and shows."""

from __future__ import annotations

from dataclasses import dataclass


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
        recovered: Events reproduced from the journal at the start, so far.
        missed: Messages that expired before they were read.
        seconds: Since the group was entered.
    """

    events: int = 0
    dead_letters: int = 0
    bad_fields: int = 0
    transactions: int = 0
    epochs: int = 0
    samples_trained: int = 0
    anomalies: int = 0
    incidents: int = 0
    recovered: int = 0
    missed: int = 0
    seconds: float = 0.0
