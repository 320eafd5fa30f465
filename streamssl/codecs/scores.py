"""Scores to records: one JSON message an event, or packed Arrow with the same columns.

B = events.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamssl.codecs.envelope import Envelope
from streamssl.codecs.explanations import Named, explanation_cells, explanation_fields
from streamssl.data.events import OutputRecord
from streamssl.data.results import INCIDENT_STATES, SEVERITIES, WARMING, Results

KIND = "streamssl.score.v1"
T = TypeVar("T")
_MAP, _TEXT_MAP = (pa.map_(pa.utf8(), kind) for kind in (pa.float64(), pa.utf8()))
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
        "incident_field": pa.utf8(),
        "threshold": pa.float64(),
        "warming": pa.utf8(),
        "top_field": pa.utf8(),
        "model": pa.struct({"name": pa.utf8(), "version": pa.utf8(), "epoch": pa.int64()}),
        "attribution": _MAP,
        "expected": _MAP,
        "expected_low": _MAP,
        "expected_high": _MAP,
        "actual": _MAP,
        "neighbours": pa.list_(pa.utf8()),
    }
)
# Of streams that have texts, which a map of numbers cannot hold.
_SCHEMA_WITH_TEXTS = pa.schema(
    [
        *list(_SCHEMA)[:-1],
        pa.field("expected_text", _TEXT_MAP),
        pa.field("actual_text", _TEXT_MAP),
        _SCHEMA.field("neighbours"),
    ]
)


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
    incident_field: str | None
    threshold: float
    warming: str
    top_field: str
    model: msgspec.Raw


class AnomalyValue(ScoreValue, gc=False):
    """The value of an anomaly's score message: the same, and the explanation."""

    attribution: dict[str, float]
    expected: Named
    expected_low: Named
    expected_high: Named
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
            values[row] = AnomalyValue(*(plain + explanation_fields(results, at)))
        return self._envelope.json_records(results.batch, map(self._encode, values))


class ArrowScores:
    """Packed Arrow IPC: the columns of the JSON message, one row an event.

    Where the stream has text columns, texts that were expected and that came are maps of their own.

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
        schema = _SCHEMA if results.batch.texts is None else _SCHEMA_WITH_TEXTS
        model = {"name": self._name, "version": self._version, "epoch": results.epoch}
        columns = [*_columns(results), [model] * num_rows]
        explained: dict[str, list[Any]] = {
            name: [None] * num_rows for name in schema.names[len(columns) :]
        }
        for at, row in enumerate(results.explained.tolist()):
            cells = explanation_cells(results, at)
            for name, column in explained.items():
                column[row] = cells[name]
        columns += explained.values()
        arrays = [pa.array(c, kind) for c, kind in zip(columns, schema.types, strict=True)]
        return self._envelope.packed_records(pa.RecordBatch.from_arrays(arrays, schema=schema))


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
        _named((*results.parts, None), results.incident_field),
        results.threshold.tolist(),
        _named(WARMING, results.warming),
        _named(results.parts, results.top_field),
    ]


def _named(names: Sequence[T], index_B: npt.NDArray[np.int64]) -> list[T]:
    return [names[index] for index in index_B.tolist()]
