"""One interface for ours and the peers: a series in, score columns (and alerts) out.

N = rows of a series, C = channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from benchmarks.quality.data import Series
from benchmarks.quality.peers import PEERS
from streamssl.config.settings import load_config
from streamssl.data.events import BoolArray, EventBatch, Float32Array, FloatArray, IntArray
from streamssl.data.results import NEW, Results

CHUNK = 4_096
NO_INCIDENT = -1
UNTRAINED = ("learn.burst_steps=0", "learn.samples_per_event=0")


@dataclass(frozen=True, slots=True)
class AlertColumns:
    """What the alert layer said of each row.

    Attributes:
        p_value: `[N]` calibrated tail probability.
        anomaly: `[N]` True where the row alerted at the configured budget.
        incident: `[N]` number of the row's incident, -1 outside incidents.
        warming: `[N]` True where no alert could be given yet.
    """

    p_value: FloatArray
    anomaly: BoolArray
    incident: IntArray
    warming: BoolArray


@dataclass(frozen=True, slots=True)
class Detection:
    """What one pass over a series gave: score columns by row name, and alerts where it has any."""

    scores: Mapping[str, FloatArray]
    alerts: AlertColumns | None = None


class Detector(Protocol):
    """Anything that the protocol can run; it crosses process borders, so it holds plain values."""

    def detect(self, series: Series, seed: int) -> Detection:
        """One pass in file order by a fresh detector."""


@dataclass(frozen=True, slots=True)
class PeerDetector:
    """A peer, by its name in `PEERS`."""

    name: str

    def detect(self, series: Series, seed: int) -> Detection:
        """One pass over the series with missing values carried forward."""
        peer = PEERS[self.name](seed, series.num_warmup)
        return Detection({self.name: peer.score_one_pass(carried_forward(series.values_NC))})


@dataclass(frozen=True, slots=True)
class StreamDetector:
    """Ours: one `StreamLearner` a series, its fused score and the raw score of each scorer.

    Attributes:
        name: What its rows are called in the report.
        overrides: Settings as `section.key=value`; everything else is the default.
        columns: Only these score columns (`raw`, `raw_<scorer>`), and no alerts; empty: all.
    """

    name: str = "streamssl"
    overrides: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    def detect(self, series: Series, seed: int) -> Detection:
        """One pass over the series with the seed as `app.seed`."""
        # Here, because importing torch takes longer than a peer's whole pass.
        from streamssl.stream import StreamLearner

        config = load_config(None, [*self.overrides, f"app.seed={seed}"], environ={})
        learner = StreamLearner(config)
        results = [learner.process(batch) for batch in _batches(series)]
        raw = {"raw": np.concatenate([r.raw for r in results])}
        for scorer in results[0].raw_scores:
            raw[f"raw_{scorer}"] = np.concatenate([r.raw_scores[scorer] for r in results])
        wanted = self.columns or tuple(raw)
        scores = {f"{self.name} `{column}`": raw[column] for column in wanted if column in raw}
        return Detection(scores, None if self.columns else _alert_columns(results))


def _batches(series: Series) -> Iterator[EventBatch]:
    offset_N = np.arange(len(series.label))
    zero_N = np.zeros(len(series.label), np.int64)
    whole = EventBatch(
        topic=series.name,
        partition=zero_N,
        offset=offset_N,
        index=zero_N,
        keys=pa.array([""] * len(offset_N), pa.string()),
        event_time=series.time,
        fields=series.fields,
        values_BC=series.values_NC.astype(np.float64),
    )
    for start in range(0, len(whole), CHUNK):
        yield whole.take(slice(start, start + CHUNK))


def _alert_columns(results: Sequence[Results]) -> AlertColumns:
    return AlertColumns(
        p_value=np.concatenate([r.p_value for r in results]),
        anomaly=np.concatenate([r.anomaly for r in results]),
        incident=_numbered([name for r in results for name in r.incident_id]),
        warming=np.concatenate([r.warming == NEW for r in results]),
    )


def _numbered(names: list[str | None]) -> IntArray:
    number: dict[str | None, int] = {None: NO_INCIDENT}
    return np.array([number.setdefault(name, len(number) - 1) for name in names], np.int64)


def carried_forward(values_NC: Float32Array) -> FloatArray:
    """Missing values as the last one seen, 0 before the first."""
    row_NC = np.where(np.isnan(values_NC), -1, np.arange(len(values_NC))[:, None])
    last_NC = np.maximum.accumulate(row_NC, axis=0)
    filled_NC = np.take_along_axis(values_NC, np.maximum(last_NC, 0), axis=0)
    return np.where(last_NC < 0, 0.0, filled_NC).astype(np.float64)
