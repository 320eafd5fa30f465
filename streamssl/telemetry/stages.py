"""How long the stages of an event's journey take, kept until somebody asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# In the order of the journey; `wait` is for the learner, where it runs in a process of its own.
STAGES = (
    "poll",
    "decode",
    "context",
    "inputs",
    "embed",
    "score",
    "calibrate",
    "attribute",
    "wait",
    "encode",
    "journal",
    "publish",
    "learn",
    "checkpoint",
)
StageTime = tuple[str, float]


class Stages:
    """Measures stages.

    Example:
        >>> stages = Stages()
        >>> with stages("score"):
        ...     pass
        >>> [name for name, _ in stages.take()], stages.take()
        (['score'], [])
    """

    def __init__(self) -> None:
        self._times: list[StageTime] = []

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Measure what runs inside; nothing is noted of what ends with an error."""
        began_s = time.perf_counter()
        yield
        self._times.append((name, time.perf_counter() - began_s))

    def take(self) -> list[StageTime]:
        """Names and wall seconds of the stages that ran since the last call."""
        times, self._times = self._times, []
        return times
