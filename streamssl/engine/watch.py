"""What the engine tells the world: figures, health, one summary."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streamssl.config.budget import Budget
from streamssl.data.results import INCIDENT_STATES, EpochReport, Results
from streamssl.engine.checkpoints import Saved
from streamssl.engine.draft import Draft, Part
from streamssl.engine.slices import messages_of
from streamssl.telemetry import Health, Metrics
from streamssl.transport.base import PartitionOutput

# Reasons for worry that are over once a checkpoint stands on what they left.
PASSING = ("gap", "missed")


@dataclass
class Summary:
    """What a run did.

    Attributes:
        events: Events scored and published.
        dead_letters: Inputs that could not be read.
        transactions: Transactions that landed.
        epochs: Epochs learnt.
        samples_trained: Fresh and replayed samples that optimiser steps learnt from.
        anomalies: Events above the threshold.
        incidents: Runs of anomalies that began.
        recovered: Events replayed from the journal at the start, so far.
        missed: Messages that expired before they were read.
        seconds: Since the group was entered.
    """

    events: int = 0
    dead_letters: int = 0
    transactions: int = 0
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
        topic: The input topic.
        budget: Alerts that are wanted at most.
        metrics: The metric catalogue.
        health: The lifecycle.
        clock: Seconds that only grow.
        wall_clock: Seconds since 1970.
    """

    def __init__(
        self,
        *,
        topic: str,
        budget: Budget,
        metrics: Metrics,
        health: Health,
        clock: Callable[[], float],
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.summary = Summary()
        self._topic = topic
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._wall_clock = wall_clock
        self._began_s = clock()
        self._held: dict[int, int] = {}
        self._newest_s: dict[int, float] = {}
        # Incidents a day are no share: NaN, so that no alert compares with it.
        metrics.alert_rate_target.set(math.nan if budget.share is None else budget.share)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage of the journey."""
        began_s = time.perf_counter()
        yield
        self._metrics.stage_duration.labels(name).observe(time.perf_counter() - began_s)

    def took(self, stages: Iterable[tuple[str, float]]) -> None:
        """Stages that were measured elsewhere: their names and seconds."""
        for name, seconds in stages:
            self._metrics.stage_duration.labels(name).observe(seconds)

    def enter(self, phase: str) -> None:
        """Go to another phase of the lifecycle."""
        self._health.enter(phase)
        self._metrics.state.state(self._health.state)

    def alive(self) -> None:
        """The loop turned once more."""
        self._health.beat()
        self._metrics.state.state(self._health.state)

    def recovered(self, source: str, num_events: int) -> None:
        """The state, begun from `source`, is where the journal ends."""
        self.summary.recovered = num_events
        self._metrics.restarts_recovered.labels(source).inc()

    def worry(self, changes: list[str]) -> None:
        """What the recovery found and the journal has yet to say; over at the next checkpoint."""
        for change in changes:
            name = change.partition(":")[0]
            if name in PASSING:  # `rebased` belongs to every upgrade: the journal says so.
                self._health.degrade(name, change)

    def joined(self) -> None:
        """The group was entered."""
        self._began_s = self._clock()
        self.enter("warming")

    def holds(self, held: Mapping[int, int], lag: Mapping[int, int]) -> None:
        """Which partitions are held, in which incarnations, and how far they are behind."""
        came = sum(self._held.get(p) != incarnation for p, incarnation in held.items())
        left = sum(held.get(p) != incarnation for p, incarnation in self._held.items())
        self._metrics.rebalances.labels("assigned").inc(came)
        self._metrics.rebalances.labels("revoked").inc(left)
        self._metrics.partitions_assigned.labels(self._topic).set(len(held))
        for partition, num_messages in lag.items():
            self._metrics.input_lag.labels(self._topic, str(partition)).set(num_messages)
        for partition in self._held.keys() - held.keys():  # What another worker has to do.
            self._metrics.input_lag.remove(self._topic, str(partition))
        self._held = dict(held)
        self._newest_s = {p: seconds for p, seconds in self._newest_s.items() if p in held}

    def committed(self, draft: Draft, parts: Mapping[int, PartitionOutput], began_s: float) -> None:
        """A transaction, sent at `began_s`, landed with `parts` of the draft."""
        now_s = self._clock()
        self.summary.transactions += 1
        self.summary.seconds = now_s - self._began_s
        outcome = "committed" if len(parts) == len(draft.parts) else "partial"
        self._metrics.commits.labels(outcome).inc()
        self._metrics.commit_duration.observe(now_s - began_s)
        for partition, output in parts.items():
            self._took(draft.parts[partition])
            self._wrote(output)
            for results in output.results:
                self._published(partition, results, now_s - draft.polled_s)
            if partition in draft.missed:
                self._missed(partition, draft.missed[partition])
        if self._newest_s:
            newest_s = max(self._newest_s.values())
            self._metrics.input_last_event_timestamp.labels(self._topic).set(newest_s)

    def not_ours(self) -> None:
        """A transaction landed nothing: all its partitions had left."""
        self._metrics.commits.labels("failed").inc()

    def learnt(self, report: EpochReport) -> None:
        """An epoch closed."""
        self.summary.epochs += 1
        self.summary.samples_trained += report.num_trained
        self._metrics.observe(report)
        self.enter("warming" if report.warmup_progress < 1.0 else "running")

    def checkpointed(self, saved: Saved) -> None:
        """A checkpoint was written, or could not be."""
        self._metrics.checkpoint_duration.observe(saved.seconds)
        if not saved.num_bytes:
            self._metrics.checkpoints.labels("failed").inc()
            self._health.degrade("checkpoint", "the last checkpoint could not be written")
            return
        self._metrics.checkpoints.labels("saved").inc()
        self._metrics.checkpoint_bytes.set(saved.num_bytes)
        self._metrics.checkpoint_last_success.set(self._wall_clock())
        for name in ("checkpoint", *PASSING):
            self._health.restore(name)

    def _missed(self, partition: int, num_messages: int) -> None:
        self.summary.missed += num_messages
        self._metrics.input_missed.labels(self._topic).inc(num_messages)
        told = f"{num_messages} messages of partition {partition} expired before they were read"
        self._health.degrade("missed", told)

    def _took(self, part: Part) -> None:
        reasons = Counter(letter.reason for letter in part.dead_letters)
        num_dead = reasons.total()
        self.summary.dead_letters += num_dead
        self._metrics.input_events.labels(self._topic, "dead_letter").inc(num_dead)
        for reason, num in reasons.items():
            self._metrics.dead_letters.labels(self._topic, reason).inc(num)
        values = (len(m.value or b"") for piece in part.pieces for m in messages_of(piece))
        rows = (p.payload.nbytes for p in part.pieces if isinstance(p.payload, pa.RecordBatch))
        self._metrics.input_bytes.labels(self._topic).inc(sum(values) + sum(rows))

    def _wrote(self, output: PartitionOutput) -> None:
        for topic, num in Counter(record.topic for record in output.records).items():
            self._metrics.output_events.labels(topic, "committed").inc(num)

    def _published(self, partition: int, results: Results, latency_s: float) -> None:
        summary, num_events = self.summary, len(results.batch)
        if num_events:
            self._newest_s[partition] = float(results.batch.event_time.max())
        summary.events += num_events
        summary.anomalies += int(np.count_nonzero(results.anomaly))
        starts = results.incident_state == INCIDENT_STATES.index("start")
        num_starts = int(np.count_nonzero(starts))
        summary.incidents += num_starts
        self._metrics.incidents.inc(num_starts)
        self._metrics.observe_results(results)
        self._metrics.event_latency.observe(np.full(num_events, latency_s))
        self._metrics.input_events.labels(self._topic, "scored").inc(num_events)
