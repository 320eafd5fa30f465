"""The engine's metrics: what the loop does as figures, as the state of health, as one summary."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import numpy as np
import pyarrow as pa

from streamssl.config.budget import Budget
from streamssl.data.events import OutputRecord, StreamsslError
from streamssl.data.results import INCIDENT_STATES, NEW, EpochReport, Results, Spread
from streamssl.data.spaces import SpaceOpening
from streamssl.engine.pending import PendingPart, PendingTransaction
from streamssl.engine.slices import messages_of
from streamssl.engine.spaces import told_space
from streamssl.engine.story import Story
from streamssl.engine.summary import Summary
from streamssl.host import Written
from streamssl.telemetry import Health, Metrics
from streamssl.transport.base import Transaction

# Reasons for a degraded state that are over once a checkpoint stands on what they left.
PASSING = ("gap", "missed")


class MetricsReporter:
    """Reports what the loop does to the metric catalogue, the lifecycle and the summary.

    Args:
        topic: The input topic.
        budget: Alerts that are wanted at most.
        metrics: The metric catalogue.
        health: The lifecycle.
        clock: Seconds that only grow.
        story: The log.
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
        story: Story,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.summary = Summary()
        self.story = story
        self._topic = topic
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._wall_clock = wall_clock
        self._began_s = clock()
        self._is_draining = False
        self._committed_s = math.nan
        self._lag: Mapping[int, int] = {}
        self._held: dict[int, int] = {}
        self._newest_s: dict[int, float] = {}
        self._space: str | None = None
        # Incidents a day are no share: NaN, so that no alert compares with it.
        metrics.alert_rate_target.set(math.nan if budget.share is None else budget.share)
        metrics.ready.set_function(lambda: not health.ready())
        metrics.broker_reachable.set_function(lambda: health.broker_reachable)
        metrics.commit_age.set_function(lambda: self._clock() - self._committed_s)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage of the journey."""
        began_s = time.perf_counter()
        yield
        self._metrics.stage_duration.labels(name).observe(time.perf_counter() - began_s)

    def observe_stages(self, stages: Iterable[tuple[str, float]]) -> None:
        """Count stages that were measured elsewhere: their names and seconds."""
        for name, seconds in stages:
            self._metrics.stage_duration.labels(name).observe(seconds)

    def enter(self, phase: str) -> None:
        """Go to another phase of the lifecycle; a drain is the last."""
        if self._is_draining:
            return
        self._is_draining = phase == "draining"
        self.story.phase(phase)
        self._health.enter(phase)
        self._metrics.state.state(self._health.state)

    def heartbeat(self) -> None:
        """The loop turned once more."""
        self.story.turned()
        self._judge_input()
        self._health.beat()
        self._metrics.state.state(self._health.state)

    def failed(self, error: Exception) -> None:
        """An error ends the process; probes say so until it has ended."""
        known = isinstance(error, StreamsslError)
        self._health.fail(str(error) if known else "unexpected error")

    def recovering(self, num_events: int) -> None:
        """So many events of the journal are applied again so far."""
        self.heartbeat()
        self.story.recovering(num_events)
        self.summary.recovered = num_events

    def recovered(self, source: str, num_events: int) -> None:
        """The state, begun from `source`, is where the journal ends."""
        self.summary.recovered = num_events
        self._metrics.restarts_recovered.labels(source).inc()

    def degrade(self, changes: list[str]) -> None:
        """The recovery left changes that the journal has yet to say; over at a checkpoint."""
        for change in changes:
            name = change.partition(":")[0]
            if name == "gap":
                self._metrics.learning_gaps.inc()
            if name in PASSING:  # `rebased` belongs to every upgrade: the journal says so.
                self._health.degrade(name, change)

    @property
    def wants_spread(self) -> bool:
        """Whether somebody has looked at the spread of embeddings since it was measured."""
        return self._metrics.wants_spread

    def observe_spread(self, spread: Spread) -> None:
        """The spread of recent embeddings was measured."""
        self._metrics.observe_spread(spread)

    def joined(self) -> None:
        """The group was entered: the run's seconds count from here."""
        self._began_s = self._clock()
        self.enter("warming")

    def report_assignment(self, held: Mapping[int, int], lag: Mapping[int, int]) -> None:
        """Which partitions are held, in which incarnations, and how far they are behind.

        Args:
            held: Incarnation of each partition.
            lag: Messages that wait, of the partitions whose end is known.
        """
        came = sum(self._held.get(p) != incarnation for p, incarnation in held.items())
        left = sum(held.get(p) != incarnation for p, incarnation in self._held.items())
        self.story.partitions(held, num_came=came, num_left=left, lag=lag)
        self._metrics.rebalances.labels("assigned").inc(came)
        self._metrics.rebalances.labels("revoked").inc(left)
        self._metrics.partitions_assigned.labels(self._topic).set(len(held))
        self._lag = lag
        for partition in held.keys() - self._held.keys():
            gauge = self._metrics.input_lag.labels(self._topic, str(partition))
            gauge.set_function(partial(self._lag_of, partition))
        for partition in self._held.keys() - held.keys():  # What another worker has to do.
            self._metrics.input_lag.remove(self._topic, str(partition))
        self._held = dict(held)
        self._newest_s = {p: seconds for p, seconds in self._newest_s.items() if p in held}

    def _lag_of(self, partition: int) -> float:
        """Messages that wait; NaN while nobody can know: its end, or the broker, is away."""
        if not self._health.broker_reachable:
            return math.nan
        return self._lag.get(partition, math.nan)

    def space_began(self, opening: SpaceOpening | None, epoch: int) -> None:
        """A transaction landed with which a space begins, None where none does."""
        if opening is not None:
            self.story.space_began(opening, epoch)
            self.summary.spaces[opening.reason] = self.summary.spaces.get(opening.reason, 0) + 1
            self._show_space(opening)

    def _show_space(self, opening: SpaceOpening) -> None:
        cosine, self._space = opening.anchor_cosine, opening.space
        self.summary.last_space = told_space(opening)
        self._metrics.space_anchor_cosine.set(math.nan if cosine is None else cosine)

    def committed(self, pending: PendingTransaction, landed: Transaction, began_s: float) -> None:
        """`landed` is what landed of a transaction, sent at `began_s`."""
        now_s = self._clock()
        self._committed_s = now_s
        self.summary.transactions += 1
        self.summary.seconds = now_s - self._began_s
        outcome = "committed" if len(landed.parts) == len(pending.parts) else "partial"
        self.story.committed(pending, landed)
        self._metrics.commits.labels(outcome).inc()
        self._metrics.commit_duration.observe(now_s - began_s)
        for drift in landed.journal.drifts:
            self.summary.drifted(drift)
            self._metrics.drifts.labels(drift.what).inc()
        for _, records in landed.by_partition():
            self._count_output(records)
        for partition, output in landed.parts.items():
            self._count_input(pending.parts[partition])
            for results in output.results:
                self._count_results(partition, results, now_s - pending.polled_s)
            if partition in pending.missed:
                self._count_missed(partition, pending.missed[partition])
        if self._newest_s:
            newest_s = max(self._newest_s.values())
            self._metrics.input_last_event_timestamp.labels(self._topic).set(newest_s)

    def commit_failed(self) -> None:
        """A transaction landed nothing: all its partitions had left."""
        self._metrics.commits.labels("failed").inc()

    def epoch_closed(self, report: EpochReport) -> None:
        """An epoch was learnt, and the next is open."""
        self.summary.epochs += 1
        self.summary.samples_trained += report.num_trained
        self.summary.keys, self.summary.keys_warming = report.keys_active, report.keys_warming
        self.story.epoch_closed(report)
        self._metrics.observe(report)
        self.enter("warming" if report.warmup_progress < 1.0 else "running")

    def checkpointed(self, written: Written) -> None:
        """A checkpoint was written, or could not be."""
        self._metrics.checkpoint_duration.observe(written.seconds)
        if not written.num_bytes:
            self._metrics.checkpoints.labels("failed").inc()
            self._health.degrade("checkpoint", "the last checkpoint could not be written")
            return
        self.story.saved(written)
        self._metrics.checkpoints.labels("saved").inc()
        self._metrics.checkpoint_bytes.set(written.num_bytes)
        self._metrics.checkpoint_last_success.set(self._wall_clock())
        for name in ("checkpoint", *PASSING):
            self._health.restore(name)

    def _judge_input(self) -> None:
        """Input that mostly cannot be read is a problem, for as long as it is so."""
        if self.story.unreadable:
            self._health.degrade("unreadable", self.story.unreadable)
        else:
            self._health.restore("unreadable")

    def _count_missed(self, partition: int, num_messages: int) -> None:
        self.summary.missed += num_messages
        self._metrics.input_missed.labels(self._topic).inc(num_messages)
        told = f"{num_messages} messages of partition {partition} expired before they were read"
        self._health.degrade("missed", told)

    def _count_input(self, part: PendingPart) -> None:
        reasons = Counter(letter.reason for letter in part.dead_letters)
        num_dead = reasons.total()
        self.summary.dead_letters += num_dead
        self._metrics.input_events.labels(self._topic, "dead_letter").inc(num_dead)
        for reason, num in reasons.items():
            self._metrics.dead_letters.labels(self._topic, reason).inc(num)
        for bad in part.bad_fields:
            self.summary.bad_fields += bad.num_fields
            self._metrics.bad_fields.labels(self._topic, bad.reason).inc(bad.num_fields)
        values = (len(m.value or b"") for piece in part.pieces for m in messages_of(piece))
        rows = (p.payload.nbytes for p in part.pieces if isinstance(p.payload, pa.RecordBatch))
        self._metrics.input_bytes.labels(self._topic).inc(sum(values) + sum(rows))

    def _count_output(self, records: Iterable[OutputRecord]) -> None:
        for topic, num in Counter(record.topic for record in records).items():
            self._metrics.output_events.labels(topic, "committed").inc(num)

    def _count_results(self, partition: int, results: Results, latency_s: float) -> None:
        summary, num_events, opening = self.summary, len(results.batch), results.opening
        if opening is not None and opening.space != self._space:  # Announced before this start.
            self._show_space(opening)
        if num_events:
            self._newest_s[partition] = float(results.batch.event_time.max())
        summary.events += num_events
        summary.saw(results.batch.event_time)
        summary.warming += int(np.count_nonzero(results.warming == NEW))
        summary.anomalies += int(np.count_nonzero(results.anomaly))
        num_of = np.bincount(results.incident_state, minlength=len(INCIDENT_STATES)).tolist()
        num_starts, num_accepted, num_muted = (
            num_of[INCIDENT_STATES.index(state)] for state in ("start", "accepted", "muted")
        )
        summary.incidents += num_starts
        summary.accepted += num_accepted
        summary.muted += num_muted
        self._metrics.incidents.inc(num_starts)
        self._metrics.incidents_accepted.inc(num_accepted)
        self._metrics.muted_events.inc(num_muted)
        self._metrics.observe_results(results)
        self._metrics.event_latency.observe(np.full(num_events, latency_s))
        self._metrics.input_events.labels(self._topic, "scored").inc(num_events)
