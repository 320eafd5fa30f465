"""Scores to records: one JSON message an event, or packed Arrow with the same columns.

A = anomalies, C = channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.codecs.envelope import Envelope
from streamssl.data.events import FloatArray, OutputRecord
from streamssl.data.results import INCIDENT_STATES, SEVERITIES, Results

KIND = "streamssl.score.v1"
_MAP = pa.map_(pa.utf8(), pa.float64())
_SCHEMA = pa.schema(
    {
        "id": pa.utf8(),
        "key": pa.utf8(),
        "event_time": pa.float64(),
        "score": pa.float64(),
        "p_value": pa.float64(),
        "raw": pa.float64(),
        "anomaly": pa.bool_(),
        "severity": pa.utf8(),
        "incident_id": pa.utf8(),
        "incident_state": pa.utf8(),
        "threshold": pa.float64(),
        "warming": pa.bool_(),
        "top_field": pa.utf8(),
        "model": pa.struct({"name": pa.utf8(), "version": pa.utf8(), "epoch": pa.int64()}),
        "attribution": _MAP,
        "expected": _MAP,
        "actual": _MAP,
        "neighbours": pa.list_(pa.utf8()),
    }
)


Named = dict[str, float | str | None]


class Model(msgspec.Struct, frozen=True):
    """Which model scored an event."""

    name: str
    version: str
    epoch: int


class ScoreValue(msgspec.Struct, gc=False):
    """The value of a score message. Numbers that do not exist are null."""

    id: str
    key: str
    event_time: float
    score: float
    p_value: float
    raw: float
    anomaly: bool
    severity: str
    incident_id: str | None
    incident_state: str
    threshold: float
    warming: bool
    top_field: str
    model: msgspec.Raw


class AnomalyValue(ScoreValue, gc=False):
    """The value of an anomaly's score message: the same, and the explanation."""

    attribution: dict[str, float]
    expected: Named
    actual: Named
    neighbours: list[str]


class JsonScores:
    """One JSON message an event; the same results always give the same bytes.

    Args:
        name: The app's name.
        version: The model's version.
    """

    def __init__(self, *, name: str, version: str) -> None:
        self._model = name, version
        self._envelope = Envelope(topic="scores", name=name, kind=KIND)
        self._encode = msgspec.json.Encoder().encode

    def encode(self, results: Results) -> list[OutputRecord]:
        """One record an event, under the event's key."""
        model = msgspec.Raw(self._encode(Model(*self._model, results.epoch)))
        values = list(map(ScoreValue, *_columns(results), repeat(model)))
        for at, row in enumerate(results.explained.tolist()):
            plain = msgspec.structs.astuple(values[row])
            values[row] = AnomalyValue(*(plain + _explanation(results, at)))
        return self._envelope.json_records(results.batch, map(self._encode, values))


class ArrowScores:
    """Packed Arrow IPC: the columns of the JSON message, one row an event.

    Args:
        name: The app's name.
        version: The model's version.
    """

    def __init__(self, *, name: str, version: str) -> None:
        self._name, self._version = name, version
        self._envelope = Envelope(topic="scores", name=name, kind=KIND)

    def encode(self, results: Results) -> list[OutputRecord]:
        """All events of the results in as few records as the broker's limit allows."""
        num_rows = len(results.batch)
        model = {"name": self._name, "version": self._version, "epoch": results.epoch}
        explanations: list[list[Any]] = [[None] * num_rows for _ in range(4)]
        for at, row in enumerate(results.explained.tolist()):
            attribution, expected, actual, neighbours = _explanation(results, at)
            maps = (list(m.items()) for m in (attribution, expected, actual))
            for column, value in zip(explanations, (*maps, neighbours), strict=True):
                column[row] = value
        columns = [*_columns(results), [model] * num_rows, *explanations]
        arrays = [
            pa.array(column, kind) for column, kind in zip(columns, _SCHEMA.types, strict=True)
        ]
        return self._envelope.packed_records(pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA))


def _columns(results: Results) -> list[list[Any]]:
    """The columns that every event has, in the schema's order."""
    batch = results.batch
    return [
        batch.ids(),
        batch.keys.to_pylist(),
        batch.event_time.tolist(),
        results.score.tolist(),
        results.p_value.tolist(),
        results.raw.tolist(),
        results.anomaly.tolist(),
        _named(SEVERITIES, results.severity),
        results.incident_id,
        _named(INCIDENT_STATES, results.incident_state),
        results.threshold.tolist(),
        results.warming.tolist(),
        _named(results.parts, results.top_field),
    ]


def _named(names: Sequence[str], index_B: npt.NDArray[np.int64]) -> list[str]:
    return [names[index] for index in index_B.tolist()]


def _explanation(results: Results, at: int) -> tuple[dict[str, float], Named, Named, list[str]]:
    """Attribution, expected, actual and neighbours of the explained event `at`."""
    explanation = results.explanation
    shares = explanation.attribution_AP[at].tolist()
    expected, actual = explanation.expected, explanation.actual
    return (
        dict(zip(results.parts, shares, strict=True)),
        dict(zip(expected.fields, expected.numbers_AN[at].tolist(), strict=True))
        | expected.texts[at],
        dict(zip(actual.fields, _shortest(actual.numbers_AN[at]), strict=True)) | actual.texts[at],
        explanation.neighbours[at],
    )


def _shortest(numbers_N: FloatArray) -> list[float]:
    """The shortest decimals that are these float32: 0.1, not 0.10000000149011612."""
    return [float(text) for text in numbers_N.astype(np.float32).astype(str).tolist()]
