"""Ordinary sensor streams, and what is said of them: networks off, the default configuration else.

One event a second; noise of deviation 1 that remembers .7 of its last value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from streamssl.data.events import EventBatch, FloatArray
from streamssl.data.results import INCIDENT_STATES, Results
from streamssl.stream import StreamLearner

OFF: dict[str, dict[str, Any]] = {
    "learner": {"enabled": False},
    "scorers": {"residual": {"enabled": False}, "memory": {"enabled": False}},
    "outputs": {"embeddings": {"enabled": False}},
}
LEVELS = np.array([35.0, 8.0, 61.0])
BUDGET = 0.001
START_S = 1.79e9
FAULT_ROWS = 20


def noise(num_rows: int, num_channels: int = 3, seed: int = 0) -> FloatArray:
    """`[rows, channels]` readings about 0 of deviation 1, each .7 of the last one and something."""
    steps = np.random.default_rng(seed).normal(size=(num_rows, num_channels)) * np.sqrt(0.51)
    x = np.zeros((num_rows, num_channels))
    for row in range(1, num_rows):
        x[row] = 0.7 * x[row - 1] + steps[row]
    return x


def plain(num_rows: int, seed: int = 0) -> FloatArray:
    """Three channels about their levels."""
    return noise(num_rows, seed=seed) + LEVELS


def with_faults(x: FloatArray, starts: Sequence[int], size: float, channel: int = 1) -> FloatArray:
    """The same with faults of one channel."""
    for start in starts:
        x[start : start + FAULT_ROWS, channel] += size
    return x


def run(
    x: FloatArray,
    *,
    event_time: FloatArray | None = None,
    keys: list[str] | None = None,
    budget: float | str = BUDGET,
) -> Results:
    """What is said of a stream, row by row."""
    rows = np.arange(len(x))
    batch = EventBatch(
        "plant",
        np.zeros_like(rows),
        rows,
        np.zeros_like(rows),
        pa.array(keys or ["pump"] * len(x), pa.string()),
        (START_S + rows if event_time is None else event_time).astype(np.float64),
        tuple(f"c{channel}" for channel in range(x.shape[1])),
        x,
    )
    alerts = {"budget": budget, "neighbours": 0}
    return StreamLearner.from_config({**OFF, "alerts": alerts}).process(batch)


def seen(results: Results, starts: Sequence[int], rows: int = FAULT_ROWS + 5) -> list[bool]:
    """Whether each fault has an anomaly."""
    return [bool(results.anomaly[start : start + rows].any()) for start in starts]


def incidents(results: Results) -> int:
    """Incidents that were opened."""
    return int((results.incident_state == INCIDENT_STATES.index("start")).sum())
