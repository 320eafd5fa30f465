"""Whether keys do what they are for: one for each machine, in one partition, for a long time."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pyarrow.compute as pc

from streamssl.config.sections import AlertsConfig
from streamssl.data.results import NEW, EpochReport, Results
from streamssl.engine.summary import Summary
from streamssl.telemetry import Metrics
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

WINDOW_EVENTS = 1_024
# Rows that a key's statistics and then its calibration need at least.
FITTED_EVENTS = 256
MAX_KEYS_WATCHED = 1_024
MAX_KEYS_A_BATCH = 256
WARNINGS = {
    "without_key": "most events have no key, so that they are one stream: set input.key_field, or "
    "key the records, where there are several machines or sensors",
    "several_partitions": "one key is in several partitions, each of which learns it anew and "
    "warms up by itself: let the producer choose the partition by the key",
    "short_lived": "no key lives long enough to warm up, so that no event is judged: choose a key "
    "that stays, such as the machine's, by input.key_field",
}


class KeyWatch:
    """Warns once of each way in which keys defeat their purpose.

    Args:
        alerts: Says how long a key warms up.
        wants_keys: Whether events without a key are worth a word.
        metrics: The metric catalogue.
        summary: What the run has done.
    """

    def __init__(
        self, *, alerts: AlertsConfig, wants_keys: bool, metrics: Metrics, summary: Summary
    ) -> None:
        self._needed = FITTED_EVENTS + alerts.calibration_warmup
        self._wants_keys = wants_keys
        self._metrics, self._summary = metrics, summary
        self._num_events = self._num_without = 0
        self._partitions: dict[str, int] = {}
        self._has_warm = False
        self._window = [0, 0]
        self._num_active = self._num_short = 0

    def observe(self, partition: int, results: Results) -> None:
        """Events of one partition have landed."""
        keys = results.batch.keys
        self._has_warm |= bool((results.warming != NEW).any())
        self._num_events += len(keys)
        self._num_without += int(pc.sum(pc.equal(keys, "")).as_py() or 0)
        if self._num_events >= WINDOW_EVENTS:
            if self._wants_keys and self._num_without > self._num_events / 2:
                self._warn("without_key")
            self._num_events = self._num_without = 0
        if "several_partitions" not in self._summary.warnings:
            self._note_partitions(partition, keys.unique().slice(0, MAX_KEYS_A_BATCH).to_pylist())

    def epoch_closed(self, report: EpochReport) -> None:
        """An epoch was learnt: so many keys have state, so many were dropped."""
        num_new = max(report.keys_active - self._num_active + report.keys_evicted, 0)
        self._num_active = report.keys_active
        self._window[0] += report.num_events
        self._window[1] += num_new
        if self._window[0] < WINDOW_EVENTS:
            return
        is_short = self._window[1] * self._needed > self._window[0] and not self._has_warm
        self._num_short = self._num_short + 1 if is_short else 0
        self._window = [0, 0]
        if self._num_short > 1:
            self._warn("short_lived")

    def _note_partitions(self, partition: int, keys: Sequence[str]) -> None:
        for key in keys:
            if not key:
                continue
            if len(self._partitions) < MAX_KEYS_WATCHED:
                self._partitions.setdefault(key, partition)
            if self._partitions.get(key, partition) != partition:
                self._warn("several_partitions")
                return

    def _warn(self, name: str) -> None:
        if name in self._summary.warnings:
            return
        self._summary.warnings[name] = WARNINGS[name]
        self._metrics.key_warnings.labels(name).set(1)
        tell(log, "keys", problem=name, warning=WARNINGS[name])
