"""A second thread for the statistics (NumPy), while the first computes the networks (torch).

Both leave Python's lock for most of their time, and neither reads what the other writes, so
their results do not depend on who is first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


# Statistics and networks take turns at the interpreter; Python's own 5 ms are a long turn.
SWITCH_S = 0.0005


def take_short_turns() -> None:
    """For a process in which the learner does most of the work."""
    sys.setswitchinterval(SWITCH_S)


class StatisticsThread:
    """Runs pairs of independent calls on two threads; the second is started at the first pair.

    Args:
        enabled: False runs one after the other: where the other cores have work, as an engine's
            beside its learner's process, two threads only cost what they take turns at.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self._executor = (
            ThreadPoolExecutor(max_workers=1, thread_name_prefix="statistics") if enabled else None
        )

    def run(self, here: Callable[[], A], there: Callable[[], B]) -> tuple[A, B]:
        """Results of both, when both have ended; an error of either is raised then."""
        if self._executor is None:
            return here(), there()
        other = self._executor.submit(there)
        try:
            found = here()
        finally:
            other.exception()  # waits: nothing may still be writing when the caller goes on
        return found, other.result()
