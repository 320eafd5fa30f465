"""A learner and a detector that are quick, known, and cross process borders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.quality.data import Series
from benchmarks.quality.detectors import Detection
from streamssl.config.settings import Config
from streamssl.data.events import EventBatch
from streamssl.data.results import Results
from tests.made_results import made_results


class FakeLearner:
    """Scores a row by its first channel; rows at 5 and above alert, one incident for all."""

    def __init__(self, config: Config) -> None:
        self.seed = config.app.seed
        self.num_calls = 0

    def process(self, batch: EventBatch) -> Results:
        self.num_calls += 1
        raw = np.abs(batch.values_BC[:, 0]).astype(np.float64)
        alert = raw >= 5
        return made_results(
            batch,
            epoch=self.num_calls,
            score=1 - np.exp(-raw),
            p_value=np.exp(-raw),
            raw=raw,
            anomaly=alert,
            incident_id=["one" if flag else None for flag in alert.tolist()],
            raw_scores={"gaussian": 2 * raw, "residual": raw + self.seed},
            explained=np.empty(0, np.int64),
        )


@dataclass(frozen=True)
class FirstChannel:
    """A detector whose score is the first channel."""

    name: str

    def detect(self, series: Series, seed: int) -> Detection:
        return Detection({self.name: series.values_NC[:, 0].astype(np.float64) + seed})


def small_series(num_rows: int = 10_000, set_name: str = "fake") -> Series:
    """Zeros but for two labelled runs of 9s and one unlabelled 7."""
    values_NC = np.zeros((num_rows, 2), np.float32)
    label = np.zeros(num_rows, np.int64)
    for start in (5_000, 6_000):
        values_NC[start : start + 20, 0] = 9.0
        label[start : start + 20] = 1
    values_NC[8_000, 0] = 7.0
    return Series(
        set_name=set_name,
        name="series",
        time=np.arange(num_rows, dtype=np.float64),
        fields=("a", "b"),
        values_NC=values_NC,
        label=label,
        use=(np.arange(num_rows) >= 1_000).astype(np.int64),
    )


def sensor_file_columns() -> dict[str, pa.Array]:
    """Columns of a file as `load_series` expects it."""
    return {
        "time": pa.array([0, 1_500_000, 2_000_000], pa.timestamp("us")),
        "a": pa.array([1.0, None, 3.0], pa.float32()),
        "eval_label": pa.array([0, 1, 0], pa.int8()),
        "eval_use": pa.array([0, 1, 1], pa.int8()),
    }
