"""Records of incidents: one JSON message each, or packed Arrow with the same columns."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa

from streamssl.codecs.envelope import Envelope
from streamssl.data.events import OutputRecord
from streamssl.data.results import Results

KIND = "streamssl.incident.v1"
_NEIGHBOUR = pa.struct(
    {
        "incident_id": pa.utf8(),
        "key": pa.utf8(),
        "start_time": pa.float64(),
        "incident_field": pa.utf8(),
        "similarity": pa.float64(),
    }
)
_SCHEMA = pa.schema(
    {
        "id": pa.utf8(),
        "event_time": pa.float64(),
        "kind": pa.utf8(),
        "incident_state": pa.utf8(),
        "incident_id": pa.utf8(),
        "key": pa.utf8(),
        "incident_field": pa.utf8(),
        "start_time": pa.float64(),
        "last_time": pa.float64(),
        "duration_s": pa.float64(),
        "rows": pa.int64(),
        "anomalies": pa.int64(),
        "peak_score": pa.float64(),
        "peak_p_value": pa.float64(),
        "peak_time": pa.float64(),
        "severity": pa.utf8(),
        "fields": pa.map_(pa.utf8(), pa.float64()),
        "vector": pa.list_(pa.float32()),
        "space": pa.utf8(),
        "neighbours": pa.list_(_NEIGHBOUR),
        "model": pa.struct({"name": pa.utf8(), "version": pa.utf8(), "epoch": pa.int64()}),
    }
)


class JsonIncidents:
    """One JSON message a record; the same results always give the same bytes.

    Args:
        name: The app's name.
        version: The model's version.
    """

    def __init__(self, *, name: str, version: str) -> None:
        self._name, self._version = name, version
        self._envelope = Envelope(topic="incidents", name=name, kind=KIND)
        self._encode = msgspec.json.Encoder().encode

    def encode(self, results: Results) -> list[OutputRecord]:
        """One record for each thing told of an incident, under the key of its events."""
        rows = _rows(results, self._name, self._version)
        if not rows:
            return []
        told = results.batch.take(results.incidents.row_I)
        return self._envelope.json_records(told, map(self._encode, rows))


class ArrowIncidents:
    """Packed Arrow IPC: the columns of the JSON message, one row a record.

    Args:
        name: The app's name.
        version: The model's version.
    """

    def __init__(self, *, name: str, version: str) -> None:
        self._name, self._version = name, version
        self._envelope = Envelope(topic="incidents", name=name, kind=KIND)

    def encode(self, results: Results) -> list[OutputRecord]:
        """All that is told in as few records as the broker's limit allows."""
        rows = _rows(results, self._name, self._version)
        for row in rows:
            row["fields"] = list(row["fields"].items())
        return self._envelope.packed_records(pa.RecordBatch.from_pylist(rows, _SCHEMA))


def _rows(results: Results, name: str, version: str) -> list[dict[str, Any]]:
    """What is told, with the model that scored it."""
    model = {"name": name, "version": version, "epoch": results.epoch}
    return [{**row, "model": model} for row in results.told_incidents()]
