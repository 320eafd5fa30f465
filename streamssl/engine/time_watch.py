"""Whether event times are what they were taken for, and go on: what is amiss is told once."""

from __future__ import annotations

import logging

import numpy as np

from streamssl.data.dates import odd_times
from streamssl.data.events import EventBatch, FloatArray
from streamssl.engine.summary import Summary
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

FIRST_TIMES = 256
MAX_KEYS_WATCHED = 65_536


class TimeWatch:
    """Warns once of times that look like another clock's, and of times of a key that go back.

    Args:
        by_field: Whether times come from a field of the events, not from their records.
        in_order: Whether those of a key should go on, as in a file.
        summary: What the run has done.
    """

    def __init__(self, *, by_field: bool, in_order: bool, summary: Summary) -> None:
        self._by_field, self._in_order = by_field, in_order
        self._summary = summary
        self._first: FloatArray = np.empty(0)
        self._last: dict[str, float] = {}

    def observe(self, batch: EventBatch) -> None:
        """Events of one partition have landed."""
        if not self._by_field or not len(batch):
            return
        if len(self._first) < FIRST_TIMES and "odd_times" not in self._summary.warnings:
            more = batch.event_time[: FIRST_TIMES - len(self._first)]
            self._first = np.concatenate([self._first, more])
            self._warn("odd_times", odd_times(self._first))
        if self._in_order and "times_back" not in self._summary.warnings:
            self._look_for_steps_back(batch)

    def _look_for_steps_back(self, batch: EventBatch) -> None:
        encoded = batch.keys.dictionary_encode()
        code_B = encoded.indices.to_numpy(zero_copy_only=False)
        keys = encoded.dictionary.to_pylist()
        order = np.argsort(code_B, kind="stable")
        code_B, time_B = code_B[order], batch.event_time[order]
        begins_B = np.diff(code_B, prepend=-1) != 0
        before_B = np.concatenate([[np.nan], time_B[:-1]])
        before_B[begins_B] = [self._last.get(keys[code], np.nan) for code in code_B[begins_B]]
        back = order[time_B < before_B]
        if len(back):
            row = int(batch.offset[back.min()])
            self._warn(
                "times_back",
                f"times go back, first in row {row}: events are scored in the order of the file; "
                "sort it by time first if they did not come in this order",
            )
        ends_B = np.append(begins_B[1:], True)
        for code, time_s in zip(code_B[ends_B], time_B[ends_B].tolist(), strict=True):
            if keys[code] in self._last or len(self._last) < MAX_KEYS_WATCHED:
                self._last[keys[code]] = time_s

    def _warn(self, name: str, warning: str) -> None:
        if warning:
            self._summary.warnings[name] = warning
            tell(log, "times", problem=name, warning=warning)
