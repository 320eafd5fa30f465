"""What becomes of the channels: which are taken, how much is missing, which come and go.

It looks at what landed and tells; nothing that is scored or learnt depends on it.

B = events, C = channels.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np

from streamssl.codecs.base import Decoder, Sample
from streamssl.data.channels import FIRST_EVENTS, Choice, against
from streamssl.data.events import EventBatch, FloatArray, Schema, Slice
from streamssl.engine.summary import MAX_NAMED, Summary
from streamssl.telemetry import Metrics
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

MEMORY_EVENTS = 1_024
VANISHED_AFTER = 256
MOST_VANISHED_AFTER = 4_096
# Times as many events as a channel's values lie apart.
VANISHED_GAPS = 20.0


class ChannelWatch:
    """Tells of one stream's channels in the log, the metrics and the summary.

    Args:
        decoder: Knows which fields events have.
        special: Fields with another meaning, such as time and key.
        metrics: The metric catalogue.
        summary: What the run has done.
    """

    def __init__(
        self, *, decoder: Decoder, special: frozenset[str], metrics: Metrics, summary: Summary
    ) -> None:
        self._decoder, self._special = decoder, special
        self._metrics, self._summary = metrics, summary
        self._schema = Schema(())
        self._samples: list[Sample] = []
        self._num_sampled = 0
        self._known: frozenset[str] | None = None
        self._new: Counter[str] = Counter()
        self._vanished: set[str] = set()
        self._told: set[str] = set()
        self._present_C = self._seen_C = self._silent_C = np.zeros(0)
        self._num_events, self._num_seen = 0.0, 0

    def chose(self, choice: Choice) -> None:
        """The columns are known, and what was left out."""
        schema = choice.schema or Schema(())
        self._begin(schema)
        self._known = self._special.union(
            schema.fields,
            schema.texts,
            (name for name, reason, _ in choice.left_out if reason != "empty"),
        )
        named = choice.left_out[:MAX_NAMED]
        self._summary.channels = list(schema.fields[:MAX_NAMED])
        self._summary.num_channels = len(schema.fields)
        self._summary.left_out = {left_out.name: left_out.hint for left_out in named}
        self._metrics.fields.labels("left_out").set(len(choice.left_out))
        seen = f"the first {choice.num_events} events" if choice.num_events else ""
        tell(
            log,
            "channels",
            num_channels=len(schema.fields),
            channels=schema.fields,
            num_left_out=len(choice.left_out),
            left_out=self._summary.left_out,
            decided_by=seen or "the configuration or the state",
        )
        self._summary.absent = dict(list(choice.absent.items())[:MAX_NAMED])
        for name, hint in self._summary.absent.items():
            tell(log, "channel_absent", channel=name, hint=hint)

    def observe(self, parts: Sequence[tuple[Sequence[Slice], EventBatch]]) -> None:
        """Events of some partitions have landed, and these were the messages of each."""
        for pieces, batch in parts:
            self._begin(batch.schema)
            if self._known is None:
                self._sample(pieces)
            else:
                for piece in pieces:
                    self._note_others(self._decoder.others(piece, self._known))
        num_events = sum(len(batch) for _, batch in parts)
        if num_events:
            missing = [np.isnan(batch.values_BC).sum(axis=0) for _, batch in parts]
            self._note_present(num_events, num_events - np.sum(missing, axis=0))

    def missing_share(self, first: int, stop: int | None) -> float:
        """Share of missing values among recent events, of channels by their places."""
        present_C = self._present_C[first:stop]
        if not len(present_C) or not self._num_events:
            return float("nan")
        return max(0.0, float(1.0 - present_C.mean() / self._num_events))

    def _begin(self, schema: Schema) -> None:
        if schema == self._schema:
            return
        self._schema, num_channels = schema, len(schema.fields)
        self._present_C, self._num_events = np.zeros(num_channels), 0.0
        self._silent_C, self._seen_C = np.zeros(num_channels), np.zeros(num_channels)
        self._num_seen = 0
        self._metrics.fields.labels("taken").set(num_channels)
        missing = self._metrics.channel_missing
        for place, name in enumerate(schema.fields[:MAX_NAMED]):
            missing.labels(name).set_function(partial(self.missing_share, place, place + 1))
        if num_channels > MAX_NAMED:
            others = partial(self.missing_share, MAX_NAMED, None)
            missing.labels("(others)").set_function(others)

    def _sample(self, pieces: Sequence[Slice]) -> None:
        """Where the columns were known before: the first events say what else there is."""
        self._samples += [self._decoder.sample(piece) for piece in pieces]
        self._num_sampled += sum(piece.stop - piece.start for piece in pieces)
        num_events = sum(len(sample.events) for sample in self._samples)
        if num_events >= FIRST_EVENTS or self._num_sampled >= MEMORY_EVENTS:
            carried = frozenset().union(*(sample.names for sample in self._samples))
            choice = against(self._decoder.choose(self._samples), self._schema, carried)
            self._samples = []
            self.chose(choice)

    def _note_others(self, others: Counter[str]) -> None:
        if not others:
            return
        self._metrics.unknown_field_values.inc(others.total())
        for name, num in others.items():
            if name in self._new:
                self._new[name] += num
            elif len(self._new) < MAX_NAMED:
                self._new[name] = num
                tell(log, "field_new", field=name)
        self._metrics.fields.labels("new").set(len(self._new))
        self._summary.new_fields = dict(self._new)

    def _note_present(self, num_events: int, present_C: FloatArray) -> None:
        kept = np.exp(-num_events / MEMORY_EVENTS)
        self._present_C = self._present_C * kept + present_C
        self._num_events = self._num_events * kept + num_events
        self._seen_C, self._num_seen = self._seen_C + present_C, self._num_seen + num_events
        self._silent_C = np.where(present_C > 0, 0.0, self._silent_C + num_events)
        gap_C = self._num_seen / np.maximum(self._seen_C, 1e-9)
        limit_C = np.clip(VANISHED_GAPS * gap_C, VANISHED_AFTER, MOST_VANISHED_AFTER)
        gone = np.flatnonzero((self._silent_C > limit_C) & (self._seen_C > 0))
        for name in [name for name in self._summary.absent if self._has_values(name)]:
            del self._summary.absent[name]
        self._note_vanished({self._schema.fields[place] for place in gone.tolist()})

    def _has_values(self, name: str) -> bool:
        fields = self._schema.fields
        return name in fields and bool(self._seen_C[fields.index(name)])

    def _note_vanished(self, vanished: set[str]) -> None:
        if vanished == self._vanished:
            return
        for name in sorted(vanished - self._told)[: MAX_NAMED - len(self._told)]:
            tell(log, "channel_vanished", channel=name)
            self._told.add(name)
        self._vanished = vanished
        self._metrics.fields.labels("vanished").set(len(vanished))
        self._summary.vanished = sorted(vanished)[:MAX_NAMED]
