"""Records of incidents as subscribers read them: JSON and packed Arrow say the same."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.codecs.incidents import ArrowIncidents, JsonIncidents
from streamssl.codecs.registry import build_codec
from streamssl.config.root import Config
from streamssl.data.events import EventBatch
from streamssl.data.incident_records import IncidentRecords, IncidentTable
from streamssl.data.results import INCIDENT_STATES, Results
from tests.made_results import made_results

NEIGHBOUR = {
    "incident_id": "plant/4/9/0",
    "key": "m7",
    "start_time": 1.6e9,
    "incident_field": None,
    "similarity": 0.75,
}
EXPECTED: dict[str, Any] = {
    "id": "plant/4/102/0",
    "event_time": 1_700_000_002.0,
    "kind": "end",
    "incident_state": "accepted",
    "incident_id": "plant/4/90/0",
    "key": "m2",
    "incident_field": "pressure",
    "start_time": 10.0,
    "last_time": 14.5,
    "duration_s": 4.5,
    "rows": 40,
    "anomalies": 9,
    "peak_score": 0.75,
    "peak_p_value": 0.25,
    "peak_time": 12.0,
    "severity": "high",
    "fields": {"pressure": 0.75, "heat": 0.25},
    "vector": [0.5, -0.5],
    "space": "0/space-1",
    "neighbours": [NEIGHBOUR],
    "model": {"name": "app", "version": "1.0", "epoch": 1},
}


def results() -> Results:
    """Three events; at the first an incident starts, at the third another is accepted."""
    rows = np.arange(3)
    batch = EventBatch(
        "plant",
        np.full(3, 4),
        100 + rows,
        np.zeros(3, np.int64),
        pa.array(["m1", "", "m2"], pa.utf8()),
        1.7e9 + rows.astype(np.float64),
        ("heat", "pressure"),
        np.zeros((3, 2)),
    )
    incidents = IncidentTable(
        incident_id=["plant/4/100/0", "plant/4/90/0"],
        key=["m1", "m2"],
        space=["0/space-1"] * 2,
        counts_MX=np.array([[1, 1, 1, -1], [40, 9, 3, 1]]),
        numbers_MX=np.array([[1.7e9, 1.7e9, 0.5, 1.7e9], [10.0, 14.5, 0.25, 12.0]]),
        shares_MP=np.array([[0.0, 0.0], [0.25, 0.75]], np.float32),
        vector_MV=np.array([[np.nan, np.nan], [0.5, -0.5]], np.float32),
    )
    states = [INCIDENT_STATES.index(state) for state in ("start", "none", "accepted")]
    return made_results(
        batch,
        incident_state=np.array(states),
        incidents=IncidentRecords(np.array([0, 2]), np.array([0, 2]), incidents, [[], [NEIGHBOUR]]),
    )


def test_a_json_message_is_one_record() -> None:
    """Under the key of the event at which it is told, named by that event's id."""
    start, end = JsonIncidents(name="app", version="1.0").encode(results())
    assert json.loads(end.value or b"") == EXPECTED
    assert [*json.loads(end.value or b"")["fields"]] == ["pressure", "heat"]
    assert (end.topic, end.key) == ("incidents", b"m2")
    assert dict(end.headers) == {
        "ce_id": b"plant/4/102/0",
        "ce_specversion": b"1.0",
        "ce_type": b"streamssl.incident.v1",
        "ce_source": b"/streamssl/app/incidents",
        "content-type": b"application/json",
    }
    told = json.loads(start.value or b"")
    assert (told["kind"], told["fields"], told["neighbours"]) == ("start", {}, [])
    assert (told["vector"], told["incident_field"], told["severity"]) == (None, None, "low")


def test_arrow_has_the_columns_of_the_json_message() -> None:
    """One packed record; what does not exist is null."""
    codec = ArrowIncidents(name="app", version="1.0")
    (record,) = codec.encode(results())
    table = pa.ipc.open_stream(record.value).read_all()
    rows = table.to_pylist(maps_as_pydicts="strict")
    messages = JsonIncidents(name="app", version="1.0").encode(results())
    assert rows == [json.loads(message.value or b"") for message in messages]
    assert table.column_names == [*EXPECTED]
    assert (record.topic, record.key) == ("incidents", None)


@pytest.mark.parametrize("encoder", [JsonIncidents, ArrowIncidents])
def test_nothing_to_tell_is_no_record(encoder: type[JsonIncidents] | type[ArrowIncidents]) -> None:
    """Most batches have no incident."""
    assert encoder(name="app", version="1.0").encode(results().take(slice(1, 2))) == []


def test_parts_of_results_keep_their_records() -> None:
    """Cut by partition and joined again, each record stands at its own row."""
    whole = results()
    parts = [whole.take(slice(0, 1)), whole.take(slice(1, 3))]
    assert [part.incidents.row_I.tolist() for part in parts] == [[0], [1]]
    assert Results.concat(parts).told_incidents() == whole.told_incidents()
    assert parts[1].told_incidents() == whole.told_incidents()[1:]


@pytest.mark.parametrize(
    ("section", "num"), [({}, 2), ({"enabled": False}, 0), ({"format": "arrow"}, 1)]
)
def test_the_configuration_chooses_the_format(section: dict[str, Any], num: int) -> None:
    """JSON by default; switched off there is none."""
    config = Config(outputs={"incidents": section}, input={"topic": "plant"})
    records = build_codec(config).encode(results())
    assert sum(record.topic == "incidents" for record in records) == num
    assert ("incidents" in config.outputs.written()) == bool(num)
