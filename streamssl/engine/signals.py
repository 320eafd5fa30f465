"""Signals that ask for an end: which of them are one wish."""

from __future__ import annotations

import time
from collections.abc import Callable

REPEAT_S = 1.0


class RepeatFilter:
    """Tells a signal that repeats the first one from a second wish.

    `timeout` signals a process and then its whole group, so does a terminal beside a supervisor:
    what comes within a second of the first signal is the same wish.

    Args:
        clock: Seconds that only grow.

    Example:
        >>> moments_s = iter([10.0, 10.001, 11.5])
        >>> is_repeat = RepeatFilter(lambda: next(moments_s))
        >>> [is_repeat() for _ in range(3)]
        [False, True, False]
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first_s = float("-inf")

    def __call__(self) -> bool:
        """Whether the signal that has just come repeats the first."""
        now_s = self._clock()
        if self._first_s == float("-inf"):
            self._first_s = now_s
            return False
        return now_s - self._first_s < REPEAT_S
