"""Event times are watched: another clock's, and those that go back, are told once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamssl import EventBatch
from streamssl.engine.summary import Summary
from streamssl.engine.time_watch import TimeWatch


def watched(
    times: list[float], keys: list[str], *, cut: int, in_order: bool = True, by_field: bool = True
) -> dict[str, str]:
    """The warnings of events that land in two parts."""
    summary = Summary()
    watch = TimeWatch(by_field=by_field, in_order=in_order, summary=summary)
    batch = EventBatch.from_numpy(np.ones((len(times), 1)), key=keys)
    batch = replace(batch, event_time=np.array(times))
    for part in (batch.take(slice(None, cut)), batch.take(slice(cut, None))):
        watch.observe(part)
    return summary.warnings


@pytest.mark.parametrize("cut", range(5))
def test_times_that_go_back_are_told(cut: int) -> None:
    """Of one key, with the row, however the file is cut; other keys have times of their own."""
    back = watched([5.0, 9.0, 6.0, 8.0], list("abab"), cut=cut)
    assert "times go back, first in row 3:" in back["times_back"]
    assert watched([5.0, 1.0, 6.0, 2.0], list("abab"), cut=cut) == {}


def test_late_events_of_a_stream_are_no_fault() -> None:
    """The daemon takes them as they come; times of records are not looked at."""
    assert watched([5.0, 4.0], ["a", "a"], cut=1, in_order=False) == {}
    assert watched([5.0, 4.0], ["a", "a"], cut=1, by_field=False) == {}


def test_another_clock_is_told() -> None:
    """In the daemon as in a file."""
    told = watched([46_082.25, 46_082.5], ["a", "a"], cut=1, in_order=False)
    assert "days of Excel" in told["odd_times"]
