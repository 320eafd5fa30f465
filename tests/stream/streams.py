"""Small streams and small learners for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from streamssl.data.events import EventBatch, FloatArray
from streamssl.stream import StreamLearner

SMALL: dict[str, Any] = {
    "modality": {"window": 8},
    "learner": {"hidden": 8, "embedding": 4, "projection": 4},
    "learn": {
        "every": 64,
        "batch": 8,
        "upkeep_batch": 8,
        "burst_after": 64,
        "burst_steps": 6,
        "burst_slice": 2,
    },
    "objectives": {"moco": {"queue": 16}},
    "alerts": {"budget": 0.02, "calibration_warmup": 32, "incident_gap": 4},
    "scorers": {"own_keys": 2, "memory": {"enabled": True}},
}


def small_learner(**sections: dict[str, Any]) -> StreamLearner:
    """A learner whose networks and epochs are small; sections are merged over `SMALL`."""
    names = SMALL.keys() | sections.keys()
    config = {name: {**SMALL.get(name, {}), **sections.get(name, {})} for name in names}
    return StreamLearner.from_config(config)


def stream(
    num_events: int,
    *,
    num_channels: int = 3,
    num_keys: int = 3,
    num_partitions: int = 2,
    missing: float = 0.05,
    seed: int = 0,
) -> EventBatch:
    """Coupled walks with missing values and a fault near the end, keys spread over partitions."""
    generator = np.random.default_rng(seed)
    shared = np.cumsum(generator.normal(size=(num_events, 1)), axis=0) * 0.05
    values = shared + generator.normal(size=(num_events, num_channels)) * 0.3
    fault = slice(num_events - num_events // 10, num_events - num_events // 20)
    values[fault, 0] += 6.0
    values[generator.random(values.shape) < missing] = np.nan
    return batch_of(values, generator.integers(0, num_keys, num_events), num_partitions)


def batch_of(values: FloatArray, key: Any, num_partitions: int = 1) -> EventBatch:
    """Rows as a batch; key k lives in partition k mod num_partitions."""
    key = np.asarray(key, np.int64)
    partition = key % num_partitions
    offset = np.zeros(len(key), np.int64)
    for p in range(num_partitions):
        offset[partition == p] = np.arange(int((partition == p).sum()))
    return EventBatch(
        "events",
        partition,
        offset,
        np.zeros(len(key), np.int64),
        pa.array([f"k{k}" for k in key.tolist()], pa.string()),
        np.arange(len(key), dtype=np.float64),
        tuple(f"c{i}" for i in range(values.shape[1])),
        values,
    )
