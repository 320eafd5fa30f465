"""The figures a run ends with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np

from streamssl.demo.incidents import IncidentBook, evaluate
from streamssl.demo.script import InjectedFault
from streamssl.devkit.delivery import DeliveryLog


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What an independent reader of the output topics counted, after the drain.

    None: only a broker can give the figure, and there was none.

    Attributes:
        broker: What carried the events, None for the in-memory transport.
        events_produced: Events that the broker acknowledged to the producer.
        events_scored: Distinct events whose result was received.
        events_lost: Events produced of which neither result nor dead letter was received.
        events_duplicated: Results and dead letters received beyond the first of an event.
        dead_letters: Distinct events that became a dead letter.
        learn_steps: Optimiser steps of the daemon, from its metrics.
        latency_p50_s: From append to the input to receipt by the reader, history included.
        latency_p99_s: The same, the slowest of a hundred.
        events_per_s: Events scored, by the time from the first append to the last receipt.
        faults_injected: Faults whose last event was produced.
        faults_detected: How many of these were caught.
        top_field_correct: How many of those caught had their own field on top (a count).
        false_incidents: Incidents that overlap no fault, the grace included.
    """

    broker: str | None
    events_produced: int
    events_scored: int
    events_lost: int | None
    events_duplicated: int | None
    dead_letters: int
    learn_steps: int
    latency_p50_s: float | None
    latency_p99_s: float | None
    events_per_s: float
    faults_injected: int
    faults_detected: int
    top_field_correct: int
    false_incidents: int

    def write(self, path: Path) -> None:
        """Write it as one JSON object."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(asdict(self)), indent=2) + b"\n")


def make_report(
    *,
    broker: str | None,
    log: DeliveryLog,
    book: IncidentBook,
    faults: Sequence[InjectedFault],
    grace_s: float,
    learn_steps: int,
    produced_until: float,
) -> DemoReport:
    """Count what the reader saw.

    Args:
        broker: Its name, None for the in-memory transport.
        log: What became of each event.
        book: The incidents.
        faults: All faults of the stream; those still running at `produced_until` are not
            counted, and their incidents are not false.
        grace_s: Seconds after a fault in which it may still be caught.
        learn_steps: Optimiser steps taken.
        produced_until: Event time of the last event that was produced.
    """
    evaluation = evaluate(faults, book.incidents(), grace_s)
    finished = [j for j in evaluation.judgements if j.fault.end <= produced_until]
    latencies, tally = log.latencies(), log.counter.tally()
    known = broker is not None and len(latencies) > 0
    return DemoReport(
        broker=broker,
        events_produced=tally.acknowledged,
        events_scored=tally.scored,
        events_lost=tally.lost if broker is not None else None,
        events_duplicated=tally.repeated if broker is not None else None,
        dead_letters=tally.dead_letters,
        learn_steps=learn_steps,
        latency_p50_s=float(np.quantile(latencies, 0.5)) if known else None,
        latency_p99_s=float(np.quantile(latencies, 0.99)) if known else None,
        events_per_s=_rate(log),
        faults_injected=len(finished),
        faults_detected=sum(j.incident is not None for j in finished),
        top_field_correct=sum(j.top_field_correct for j in finished),
        false_incidents=len(evaluation.false_incidents),
    )


def _rate(log: DeliveryLog) -> float:
    seconds = log.last_receipt_s - log.first_append_s
    return log.counter.num_scored / seconds if 0.0 < seconds < float("inf") else 0.0
