"""Results as tables: names in place of numbers, explanations where there are some."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pyarrow as pa
import pytest

from streamssl import EventBatch, Results
from streamssl.data.results import Explanation, Values
from tests.made_results import made_explanation, made_results

BATCH = EventBatch.from_records(
    [{"rpm": 1.0, "flow": 2.0}, {"rpm": np.nan, "flow": 9.0}], key=None, topic="plant"
)


def anomalous() -> Results:
    """The second event is an anomaly for its flow."""
    why = replace(
        made_explanation(BATCH.take(slice(1, 2))),
        attribution_AP=np.array([[0.25, 0.75]]),
        neighbours=[["plant/0/0/0"]],
    )
    return made_results(
        BATCH,
        anomaly=np.array([False, True]),
        severity=np.array([0, 3]),
        incident_id=[None, "plant/0/1/0"],
        incident_state=np.array([0, 1]),
        top_field=np.array([0, 1]),
        explanation=why,
    )


def test_places_become_names_and_explanations_maps() -> None:
    """A row an event, in order; what explains is null but for anomalies; NaN is null."""
    table = anomalous().to_arrow()
    usual, odd = table.to_pylist(maps_as_pydicts="strict")
    assert (usual["id"], usual["top_field"], usual["severity"]) == ("plant/0/0/0", "rpm", "none")
    assert [usual[n] for n in ("attribution", "expected", "actual", "neighbours")] == [None] * 4
    assert (odd["top_field"], odd["severity"], odd["incident_state"]) == ("flow", "high", "start")
    assert odd["incident_id"] == odd["id"] == "plant/0/1/0"
    assert odd["attribution"] == {"rpm": 0.25, "flow": 0.75}
    assert odd["expected"] == {"rpm": 0.0, "flow": 0.0}
    assert odd["actual"] == {"rpm": None, "flow": 9.0}
    assert odd["neighbours"] == ["plant/0/0/0"]
    assert (odd["key"], odd["event_time"], odd["raw_gaussian"]) == ("", 1.0, 1.0)


def test_a_data_frame_has_the_same_rows() -> None:
    """Numbers, booleans and texts in columns of their own, maps as dicts."""
    frame = anomalous().to_pandas()
    assert frame.columns.tolist() == anomalous().to_arrow().column_names
    assert frame.loc[frame.anomaly, "top_field"].tolist() == ["flow"]
    assert frame.expected.iloc[0] is None
    assert frame.attribution.iloc[1] == {"rpm": 0.25, "flow": 0.75}
    assert frame.threshold.dtype == np.float64


@pytest.mark.parametrize("rows", [slice(0, 0), slice(0, 1), slice(0, 2)])
def test_columns_are_the_same_whatever_rows_there_are(rows: slice) -> None:
    """No events, or none explained, give the same types: tables can be joined."""
    found = anomalous().take(rows).to_arrow().schema
    assert found.remove(0) == Results.table_schema(["gaussian"])


def test_texts_have_maps_of_their_own() -> None:
    """Where the stream has text columns; a text that is missing is null."""
    texts = pa.RecordBatch.from_pydict({"line": ["a", None]})
    values = Values(("rpm", "flow"), np.zeros((1, 2)), [{"line": None}])
    why = replace(anomalous().explanation, expected=values)
    results = replace(anomalous(), batch=replace(BATCH, texts=texts), explanation=why)
    row = results.to_arrow().to_pylist(maps_as_pydicts="strict")[1]
    assert row["expected_text"] == {"line": None}
    assert results.to_arrow().schema.remove(0) == Results.table_schema(["gaussian"], texts=True)


def test_every_column_of_results_and_explanations_is_in_the_table() -> None:
    """A field that is added is a column at once: none is listed by hand."""
    names = set(anomalous().to_arrow().column_names)
    not_columns = {"batch", "parts", "epoch", "raw_scores", "explained", "explanation"}
    not_columns |= {"embedding_BD", "space", "opening", "drifts", "incidents"}
    assert {f.name for f in fields(Results)} - not_columns <= names
    plain = {f.name.removesuffix("_AP").removesuffix("_AN") for f in fields(Explanation)}
    assert plain <= names
