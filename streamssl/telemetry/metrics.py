"""The metric catalogue: everything that this daemon exports, in one place."""

from __future__ import annotations

import math
from functools import partial

from prometheus_client import CollectorRegistry, ProcessCollector

from streamssl.data.incident_records import KINDS
from streamssl.data.results import SEVERITIES, EpochReport, Results, Spread
from streamssl.telemetry.catalogue import Catalogue, Entry, count_by_name
from streamssl.telemetry.flow_metrics import FlowMetrics
from streamssl.telemetry.health import STATES
from streamssl.telemetry.memory import resident_bytes
from streamssl.version import __version__

SCORE_BUCKETS = (0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 1.0)
CHECKPOINT_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
LEARN_ROW_OUTCOMES = ("learnt", "gated", "thinned", "trained")


class Metrics(FlowMetrics):
    """All metrics, on a registry of their own.

    The engine sets the attributes directly; `observe` and `observe_results` set those that
    follow from what the learner returns. Counters are named without `_total` here.

    Attributes:
        registry: Where they are registered.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        c = self._catalogue = Catalogue(self.registry)
        ProcessCollector(registry=self.registry)
        self.build = c.info("build", "Version of the running build.")
        self.build.info({"version": __version__})
        self.state = c.enum("state", "Lifecycle state.", STATES)
        self._declare_process(c)
        self.declare_flow(c)
        self._declare_learning(c)
        self._declare_scores(c)
        self._declare_durability(c)

    @property
    def catalogue(self) -> tuple[Entry, ...]:
        """Every metric of this daemon, for the documentation."""
        return tuple(self._catalogue.entries)

    def _declare_process(self, c: Catalogue) -> None:
        self.ready = c.gauge("ready", "1 while events are being processed, as on /readyz, else 0.")
        self.broker_reachable = c.gauge(
            "broker_reachable", "1 while the broker answers, 0 while it does not."
        )
        self.resident_memory = c.gauge(
            "resident_memory_bytes",
            "Resident memory of the engine's process, and of the learner's where it has its own.",
            "process",
        )

    def watch_memory(self, process: str, pid: int) -> None:
        """Export the resident memory of a process from now on, NaN where it cannot be read."""
        self.resident_memory.labels(process).set_function(partial(resident_bytes, pid))

    def _declare_learning(self, c: Catalogue) -> None:
        self.epoch = c.gauge("epoch", "The open epoch.")
        self.learn_rows = c.counter(
            "learn_rows_total",
            "Rows offered to learning (learnt or gated by the statistics; thinned), and rows, "
            "replayed ones included, that optimiser steps were trained on.",
            "outcome",
            values=LEARN_ROW_OUTCOMES,
        )
        self.learn_steps = c.counter(
            "learn_steps_total",
            "Optimiser steps, applied or skipped because a gradient was not finite.",
            "outcome",
            values=("applied", "nonfinite"),
        )
        self.loss = c.gauge("loss", "Last loss of an objective.", "objective")
        self.gradient_norm = c.gauge(
            "gradient_norm", "Global gradient norm before clipping; NaN before training."
        )
        self.effective_rank = c.gauge(
            "embedding_effective_rank",
            "Effective rank of recent embeddings, as of the scrape before; NaN before training.",
        )
        self.min_standard_deviation = c.gauge(
            "embedding_min_standard_deviation",
            "Smallest standard deviation of a dimension of recent embeddings; NaN before training.",
        )
        self.space_anchor_cosine = c.gauge(
            "space_anchor_cosine",
            "Median cosine of events in the newest embedding space and, after the maps, in the one "
            "before; NaN where there is no map.",
        )
        for unknown in (self.gradient_norm, self.space_anchor_cosine):
            unknown.set(math.nan)
        self._spread, self.wants_spread = Spread(), False
        self.effective_rank.set_function(partial(self._spread_of, "effective_rank"))
        self.min_standard_deviation.set_function(partial(self._spread_of, "min_standard_deviation"))
        self.warmup_progress = c.gauge("warmup_progress_ratio", "Progress of the warm-up, 0 to 1.")
        self.replay_records = c.gauge("replay_buffer_records", "Records held for replay.")
        self.replay_bytes = c.gauge("replay_buffer_bytes", "Bytes held for replay.")
        self.keys_active = c.gauge("keys_active", "Keys with live state.")
        self.keys_warming = c.gauge(
            "keys_warming",
            "Keys with live state that are scored but cannot be anomalous yet (`new`).",
        )
        self.keys_evicted = c.counter("keys_evicted_total", "Keys whose state was dropped.")

    def _declare_scores(self, c: Catalogue) -> None:
        self.anomaly_score = c.column_histogram(
            "anomaly_score", "Calibrated anomaly score, 0 to 1.", buckets=SCORE_BUCKETS
        )
        self.anomalies = c.counter(
            "anomalies_total", "Anomalies published.", "severity", values=SEVERITIES[1:]
        )
        self.incidents = c.counter("incidents_total", "Incidents opened.")
        self.incident_records = c.counter(
            "incident_records_total", "What was told of incidents.", "kind", values=KINDS
        )
        self.incidents_accepted = c.counter(
            "incidents_accepted_total", "Incidents that lasted, and became the new normal."
        )
        self.muted_events = c.counter(
            "muted_events_total", "Events that would have opened an incident but for the budget."
        )
        self.keys_muted = c.gauge(
            "keys_muted", "Keys that spent their alert budget: nothing opens until some comes back."
        )
        self.rebased = c.counter(
            "rebased_levels_total",
            "Levels that became the new normal of a key's channels or score.",
        )
        self.drifts = c.counter("drifts_total", "Drifts announced, by what drifted.", "what")
        self.drifts.labels("scores")  # Begins at 0; `loss.<objective>` with the first one.
        self.anomaly_threshold = c.gauge(
            "anomaly_threshold", "Score from which the newest event would have been an anomaly."
        )
        self.alert_rate = c.gauge(
            "alert_rate_ratio", "Share of events flagged over the calibration's memory."
        )
        self.alert_rate_target = c.gauge(
            "alert_rate_target_ratio",
            "Configured alert budget; NaN where it is given in incidents a day.",
        )

    def _declare_durability(self, c: Catalogue) -> None:
        self.checkpoints = c.counter(
            "checkpoints_total", "Checkpoints by outcome.", "outcome", values=("saved", "failed")
        )
        self.checkpoint_duration = c.histogram(
            "checkpoint_duration_seconds", "Time to save.", buckets=CHECKPOINT_BUCKETS_S
        )
        self.checkpoint_last_success = c.gauge(
            "checkpoint_last_success_timestamp_seconds", "Unix time of the last durable checkpoint."
        )
        self.checkpoint_bytes = c.gauge("checkpoint_bytes", "Size of the last durable checkpoint.")
        self.restarts_recovered = c.counter(
            "restarts_recovered_total",
            "Starts by what the state came from.",
            "source",
            values=("fresh", "checkpoint", "initial"),
        )
        self.learning_gaps = c.counter(
            "learning_gaps_total",
            "Starts that could not recover all epochs, so that some are not learnt.",
        )

    def observe(self, report: EpochReport) -> None:
        """Note what the end of an epoch did."""
        self.epoch.set(report.epoch + 1)
        for outcome in LEARN_ROW_OUTCOMES:
            self.learn_rows.labels(outcome).inc(getattr(report, f"num_{outcome}"))
        self.learn_steps.labels("applied").inc(report.num_steps)
        self.learn_steps.labels("nonfinite").inc(report.num_steps_nonfinite)
        for objective, loss in report.losses.items():
            self.loss.labels(objective).set(loss)
        gauges = (
            *("gradient_norm", "warmup_progress", "alert_rate", "replay_records"),
            *("replay_bytes", "keys_active", "keys_warming", "keys_muted"),
        )
        for name in gauges:
            value = getattr(report, name)
            if not math.isnan(value):  # Unknown in this epoch: the last known figure stands.
                getattr(self, name).set(value)
        self.keys_evicted.inc(report.keys_evicted)
        self.rebased.inc(report.num_rebased)

    def observe_spread(self, spread: Spread) -> None:
        """Note how far embeddings are spread: the next scrape tells it."""
        self._spread, self.wants_spread = spread, False

    def _spread_of(self, name: str) -> float:
        # Measuring it takes as long as embedding a batch: only where somebody looks.
        self.wants_spread = True
        return float(getattr(self._spread, name))

    def observe_results(self, results: Results) -> None:
        """Note the scores of a batch that was published."""
        if not len(results.batch):
            return
        self.batch_records.observe(len(results.batch))
        self.anomaly_score.observe(results.score)
        self.anomaly_threshold.set(float(results.threshold[-1]))
        severity_A = results.severity[results.severity > 0] - 1  # 0: no anomaly
        count_by_name(self.anomalies, SEVERITIES[1:], severity_A)
        count_by_name(self.incident_records, KINDS, results.incidents.kind_I)
