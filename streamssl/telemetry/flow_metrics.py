"""Metrics of what flows through: input and its fields, transactions, stages, output."""

from __future__ import annotations

from streamssl.telemetry.catalogue import Catalogue
from streamssl.telemetry.stages import STAGES

BATCH_BUCKETS = tuple(float(2**i) for i in range(13))


class FlowMetrics:
    """The part of `Metrics` that the loop counts by: events, partitions, transactions."""

    def declare_flow(self, c: Catalogue) -> None:
        """Declare them in a catalogue; they are attributes of the same names from now on."""
        self.input_events = c.counter(
            "input_events_total",
            "Events and unreadable records taken from the input, by final outcome.",
            *("topic", "outcome"),
        )
        self.input_bytes = c.counter("input_bytes_total", "Bytes taken from the input.", "topic")
        self.input_lag = c.gauge(
            "input_lag_records",
            "End offset minus next offset to process; NaN while it is not known.",
            *("topic", "partition"),
        )
        self.input_last_event_timestamp = c.gauge(
            "input_last_event_timestamp_seconds",
            "Newest event time of the partitions held, as far as they were processed.",
            "topic",
        )
        self.input_missed = c.counter(
            "input_missed_records_total", "Offsets that expired before they could be read.", "topic"
        )
        self.dead_letters = c.counter(
            "dead_letter_events_total",
            "Records and rows sent to the dead letter topic.",
            *("topic", "reason"),
        )
        self.bad_fields = c.counter(
            "bad_fields_total",
            "Fields of scored events that could not be read and count as missing "
            "(input.on_bad_field).",
            *("topic", "reason"),
        )
        self.fields = c.gauge(
            "fields",
            "Fields of events: taken as channels, left out when the columns were decided, new "
            "since then, and channels that have no values any more.",
            "kind",
        )
        self.unknown_field_values = c.counter(
            "unknown_field_values_total",
            "Values of new fields, in the events that were looked into.",
        )
        self.channel_missing = c.gauge(
            "channel_missing_ratio",
            "Share of recent events without a value of the channel: the first 64 channels, all "
            "others together as `(others)`.",
            "channel",
        )
        self.key_warnings = c.gauge(
            "key_warning",
            "1 where keys defeat their purpose: most events without one, one in several "
            "partitions, none that lives long enough to warm up.",
            "reason",
        )
        for kind in ("taken", "left_out", "new", "vanished"):
            self.fields.labels(kind).set(0)
        for reason in ("without_key", "several_partitions", "short_lived"):
            self.key_warnings.labels(reason).set(0)
        self.partitions_assigned = c.gauge(
            "partitions_assigned", "Partitions held by this instance.", "topic"
        )
        self.rebalances = c.counter(
            "rebalances_total",
            "Partitions that came to or left this instance, by what happened.",
            "kind",
            values=("assigned", "revoked"),
        )
        self.commits = c.counter(
            "offset_commits_total",
            "Transactions (outputs, journal record and offsets) by outcome.",
            "outcome",
            values=("committed", "partial", "failed"),
        )
        self.transactions_settled = c.counter(
            "transactions_settled_total",
            "Transactions of unknown outcome, settled by what the journal held.",
        )
        self.commit_duration = c.histogram(
            "offset_commit_duration_seconds", "Time that a transaction took to be acknowledged."
        )
        self.commit_age = c.gauge(
            "commit_age_seconds",
            "Seconds since the last transaction was acknowledged; NaN before the first.",
        )
        self.stage_duration = c.histogram(
            "stage_duration_seconds", "Wall time of one batch in a stage.", "stage", values=STAGES
        )
        self.event_latency = c.column_histogram(
            "event_latency_seconds", "From poll to the broker's acknowledgement of the result."
        )
        self.batch_records = c.histogram(
            "batch_records", "Events scored together.", buckets=BATCH_BUCKETS
        )
        self.output_events = c.counter(
            "output_events_total", "Events written to an output.", *("topic", "outcome")
        )
