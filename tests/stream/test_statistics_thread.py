"""Two calls at once, on two threads."""

from __future__ import annotations

import threading

import pytest

from streamssl.stream.statistics_thread import StatisticsThread


def test_both_run_at_once() -> None:
    """Each may wait for the other: they are on two threads."""
    meeting = threading.Barrier(2, timeout=10.0)
    assert StatisticsThread().run(lambda: meeting.wait() + 10, lambda: meeting.wait() + 10) in (
        (10, 11),
        (11, 10),
    )


def test_an_error_of_one_waits_for_the_other() -> None:
    """When an error leaves, nothing is still writing."""
    written: list[int] = []
    release = threading.Event()

    def fail() -> None:
        threading.Timer(0.05, release.set).start()
        raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        StatisticsThread().run(fail, lambda: written.append(int(release.wait(10.0))))
    assert written == [1]


def test_an_error_of_the_second_thread_is_raised() -> None:
    """What fails on the second thread is not lost."""
    with pytest.raises(ZeroDivisionError):
        StatisticsThread().run(lambda: None, lambda: 1 // 0)
