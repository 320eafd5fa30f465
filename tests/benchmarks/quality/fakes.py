"""A detector that is quick, known, and crosses process borders; and what it runs on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.quality.data import Series
from benchmarks.quality.detectors import NO_INCIDENT, AlertColumns, Detection


@dataclass(frozen=True)
class FirstChannel:
    """Scores every row by its first channel, once for each of its names.

    Attributes:
        names: Of the score columns.
        alerts: Whether rows at 5 and above alert, one incident for all of them.
    """

    names: tuple[str, ...]
    alerts: bool = False

    def detect(self, series: Series, seed: int) -> Detection:
        value_N = series.values_NC[:, 0].astype(np.float64)
        anomaly_N = value_N >= 5
        alerts = AlertColumns(
            p_value=np.exp(-value_N),
            anomaly=anomaly_N,
            incident=np.where(anomaly_N, 0, NO_INCIDENT),
            warming=np.zeros(len(value_N), np.bool_),
        )
        return Detection(dict.fromkeys(self.names, value_N + seed), alerts if self.alerts else None)


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
