"""Results and dead letters to records, read as subscribers read them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.codecs.dead_letters import REASONS, OriginalBytesEncoder
from streamssl.codecs.embeddings import ArrowEmbeddings, JsonEmbeddings
from streamssl.codecs.registry import (
    DECODERS,
    EMBEDDINGS,
    SCORES,
    MessageCodec,
    UnknownCodecError,
    build_codec,
)
from streamssl.codecs.scores import ArrowScores, JsonScores
from streamssl.config.root import Config
from streamssl.config.sections import InputConfig, OutputConfig, OutputsConfig, SensorConfig
from streamssl.data.events import DeadLetter, EventBatch, Message, OutputRecord, Schema, Slice
from streamssl.data.results import BLENDED, NEW, OWN, Results, Values
from tests.made_results import made_explanation, made_results

FIELDS = ("temperature", "pressure")


def results(num_events: int = 3, **changes: Any) -> Results:
    """Events of one partition; the second one is an anomaly."""
    rows = np.arange(num_events)
    number_B = rows.astype(np.float64)
    explained = rows[1:2]
    batch = EventBatch(
        "plant",
        np.full(num_events, 4),
        100 + rows,
        np.zeros(num_events, np.int64),
        pa.array([("m1", "", "é")[row % 3] for row in rows], pa.utf8()),
        1.7e9 + number_B,
        FIELDS,
        np.tile(np.array([0.1, np.nan], np.float32), (num_events, 1)),
    )
    explanation = made_explanation(
        batch.take(explained),
        attribution_AP=np.tile([0.25, 0.75], (len(explained), 1)),
        expected=Values(FIELDS, np.tile([1.5, np.nan], (len(explained), 1)), [{}] * len(explained)),
        neighbours=[["plant/4/9/0"] for _ in explained],
    )
    values = made_results(
        batch,
        epoch=7,
        score=np.full(num_events, 0.875),
        p_value=np.full(num_events, 0.125),
        raw=number_B + 0.5,
        threshold=np.full(num_events, 0.999),
        anomaly=rows == 1,
        severity=np.where(rows == 1, 3, 0),
        incident_id=["i-1" if row == 1 else None for row in rows],
        incident_state=np.where(rows == 1, 1, 0),
        warming=np.where(rows == 0, NEW, np.where(rows == 1, BLENDED, OWN)),
        top_field=np.where(rows == 1, 1, 0),
        explanation=explanation,
        embedding_BD=np.tile(np.array([0.5, -1.5, 2.0], np.float32), (num_events, 1)),
        space="s1",
    )
    return dataclasses.replace(values, **changes)


GOLDEN = (
    b'{"id":"plant/4/101/0","key":"","event_time":1700000001.0,"score":0.875,"p_value":0.125,'
    b'"raw":1.5,"anomaly":true,"severity":"high","incident_id":"i-1","incident_state":"start",'
    b'"incident_field":null,'
    b'"threshold":0.999,"warming":"blended","top_field":"pressure",'
    b'"model":{"name":"app","version":"0.1.0","epoch":7},'
    b'"attribution":{"temperature":0.25,"pressure":0.75},'
    b'"expected":{"temperature":1.5,"pressure":null},'
    b'"expected_low":{"temperature":-1.0,"pressure":-1.0},'
    b'"expected_high":{"temperature":1.0,"pressure":1.0},'
    b'"actual":{"temperature":0.1,"pressure":null},"neighbours":["plant/4/9/0"]}'
)


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (923.1, 923.1),
        (1e9 + 0.5, 1e9 + 0.5),
        (1_234_567_936.0, 1_234_567_936.0),
        (1_234_567.125, 1_234_567.125),
        (float(np.float32(923.1)), 923.1),
        (3.4e38, 3.4e38),
    ],
)
@pytest.mark.filterwarnings("error")
def test_actual_is_told_in_its_own_precision(number: float, told: float) -> None:
    """What came is published as it came, and a float32 as the number that it was written as."""
    made = results()
    values = Values(FIELDS, np.array([[number, np.nan]]), [{}])
    made = dataclasses.replace(
        made, explanation=dataclasses.replace(made.explanation, actual=values)
    )
    record = JsonScores(name="app", version="0.1.0").encode(made)[1]
    assert json.loads(record.value or b"")["actual"] == {"temperature": told, "pressure": None}


def test_score_bytes() -> None:
    """The bytes of a score message are fixed: the same results, the same bytes."""
    record = JsonScores(name="app", version="0.1.0").encode(results())[1]
    assert record == OutputRecord(
        "scores",
        None,
        GOLDEN,
        (
            ("ce_id", b"plant/4/101/0"),
            ("ce_specversion", b"1.0"),
            ("ce_type", b"streamssl.score.v1"),
            ("ce_source", b"/streamssl/app/scores"),
            ("content-type", b"application/json"),
        ),
    )


def test_scores_as_json() -> None:
    """One message an event under the event's key; only anomalies carry an explanation."""
    records = JsonScores(name="app", version="0.1.0").encode(results())
    values = [json.loads(record.value or b"") for record in records]
    assert [record.key for record in records] == [b"m1", None, "é".encode()]
    assert [value["id"] for value in values] == results().batch.ids()
    assert [value["warming"] for value in values] == ["new", "blended", "own"]
    assert ["attribution" in value for value in values] == [False, True, False]
    assert values[0]["incident_id"] is None
    assert values[0]["incident_state"] == values[0]["severity"] == "none"
    assert sum(values[1]["attribution"].values()) == 1


def test_packed_scores_are_the_same_columns() -> None:
    """Arrow holds what JSON holds, in one record."""
    plain = JsonScores(name="app", version="0.1.0").encode(results())
    (record,) = ArrowScores(name="app", version="0.1.0").encode(results())
    headers = dict(record.headers)
    assert record.key is None
    assert headers["ce_id"] == b"plant/4/100/0"
    assert headers["content-type"] == b"application/vnd.apache.arrow.stream"
    rows = pa.ipc.open_stream(record.value).read_all().to_pylist()
    for row, message in zip(rows, plain, strict=True):
        value = json.loads(message.value or b"")
        for name, cell in value.items():
            packed = dict(row[name]) if isinstance(cell, dict) else row[name]
            if isinstance(packed, dict):
                packed = {k: None if v != v else v for k, v in packed.items()}
            assert packed == cell
        assert all(row[name] is None for name in row.keys() - value.keys())


def test_texts_of_an_explanation() -> None:
    """JSON has them beside the numbers; Arrow in maps of their own, where the stream has texts."""
    texts = pa.RecordBatch.from_pydict({"city": pa.array(["Rome", "Oslo", None])})
    usual = results()
    explanation = dataclasses.replace(
        usual.explanation,
        expected=Values(("pressure",), np.array([[np.nan]]), [{"city": "Rome", "ok": None}]),
        expected_low_AN=np.array([[np.nan]]),
        expected_high_AN=np.array([[np.nan]]),
        actual=Values(FIELDS, np.array([[0.1, 2.0]]), [{"city": "Oslo", "ok": "é"}]),
    )
    batch = dataclasses.replace(usual.batch, texts=texts)
    odd = dataclasses.replace(usual, batch=batch, explanation=explanation)
    message = json.loads(JsonScores(name="a", version="v").encode(odd)[1].value or b"")
    assert message["expected"] == {"pressure": None, "city": "Rome", "ok": None}
    assert message["actual"] == {"temperature": 0.1, "pressure": 2.0, "city": "Oslo", "ok": "é"}
    (record,) = ArrowScores(name="a", version="v").encode(odd)
    table = pa.ipc.open_stream(record.value).read_all()
    assert table.column_names[-4:] == ["actual", "expected_text", "actual_text", "neighbours"]
    assert table["expected_text"].to_pylist() == [None, [("city", "Rome"), ("ok", None)], None]
    assert table["actual_text"].to_pylist() == [None, [("city", "Oslo"), ("ok", "é")], None]
    assert table["actual"].to_pylist() == [None, [("temperature", 0.1), ("pressure", 2.0)], None]
    (plain,) = ArrowScores(name="a", version="v").encode(usual)
    assert {"expected_text", "actual_text"}.isdisjoint(pa.ipc.open_stream(plain.value).schema.names)


def test_embeddings() -> None:
    """Packed by default: columns to read as arrays; the same as JSON on request."""
    (record,) = ArrowEmbeddings(name="app").encode(results())
    table = pa.ipc.open_stream(record.value).read_all()
    assert table.column_names == ["id", "key", "event_time", "vector", "space"]
    assert table.schema.field("vector").type == pa.list_(pa.float32(), 3)
    vectors = np.stack(table["vector"].to_numpy())
    np.testing.assert_array_equal(vectors, results().embedding_BD)
    messages = JsonEmbeddings(name="app").encode(results())
    assert [json.loads(m.value or b"") for m in messages] == table.to_pylist()
    assert dict(messages[0].headers)["ce_source"] == b"/streamssl/app/embeddings"


def test_packed_records_stay_below_the_brokers_limit() -> None:
    """A large batch becomes several records, in order, none above the limit."""
    many = results(20_000, embedding_BD=np.ones((20_000, 64), np.float32))
    records = ArrowEmbeddings(name="app").encode(many)
    assert len(records) > 1
    assert max(len(record.value or b"") for record in records) <= 900_000
    tables = [pa.ipc.open_stream(record.value).read_all() for record in records]
    assert pa.concat_tables(tables)["id"].to_pylist() == many.batch.ids()
    assert [dict(r.headers)["ce_id"].decode() for r in records] == [
        t["id"][0].as_py() for t in tables
    ]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(), min_size=3, max_size=3))
def test_json_never_holds_what_json_has_not(raw: list[float]) -> None:
    """Whatever the numbers are, the output is JSON: what is not finite is null."""
    usual = results()
    explanation = dataclasses.replace(
        usual.explanation, expected=Values(FIELDS, np.array([raw[:2]]), [{}])
    )
    odd = dataclasses.replace(
        usual, raw=np.array(raw), explanation=explanation, embedding_BD=np.array([raw] * 3)
    )
    records = JsonScores(name="a", version="v").encode(odd) + JsonEmbeddings(name="a").encode(odd)

    def refuse(constant: str) -> None:
        raise AssertionError(f"not JSON: {constant}")

    values = [json.loads(record.value or b"", parse_constant=refuse) for record in records]
    back = [np.nan if v["raw"] is None else v["raw"] for v in values[:3]]
    expected = np.where(np.isfinite(raw), raw, np.nan)
    np.testing.assert_array_equal(back, expected)


@pytest.mark.parametrize("name", sorted(SCORES | EMBEDDINGS))
def test_no_results_give_no_records(name: str) -> None:
    """An empty batch is a batch: nothing is written for it, in every format."""
    nothing = results(0)
    assert SCORES[name](name="app", version="v").encode(nothing) == []
    assert EMBEDDINGS[name](name="app").encode(nothing) == []


def letter(value: bytes | None, key: bytes | None = b"k", index: int | None = None) -> DeadLetter:
    return DeadLetter(Message(4, 17, key, value, 123, ()), index, "bad_json", "x" * 1_000)


def test_dead_letters() -> None:
    """The original bytes, and in the headers reason, detail (bounded) and origin."""
    whole, row = OriginalBytesEncoder(topic="plant").encode((letter(b"{"), letter(None, None, 3)))
    assert (whole.topic, whole.key, whole.value) == ("dlq", b"k", b"{")
    assert dict(whole.headers) == {
        "reason": b"bad_json",
        "detail": b"x" * 200,
        "origin_topic": b"plant",
        "origin_partition": b"4",
        "origin_offset": b"17",
        "origin_index": b"-1",
        "origin_timestamp_ms": b"123",
        "truncated": b"",
    }
    assert (row.key, row.value) == (None, None)
    assert dict(row.headers)["origin_index"] == b"3"


def test_large_dead_letters_are_cut_and_marked() -> None:
    """What the broker would refuse is cut, and a header names what was cut."""
    (record,) = OriginalBytesEncoder(topic="t").encode((letter(b"v" * 10**6, b"k" * 10**5),))
    assert (len(record.value or b""), len(record.key or b"")) == (900_000, 65_536)
    assert dict(record.headers)["truncated"] == b"key,value"


def codec(**sections: Any) -> MessageCodec:
    return build_codec(Config(**sections))


def test_a_codec_encodes_everything_of_a_partition() -> None:
    """Dead letters, scores and embeddings, as far as they are switched on."""
    count = [record.topic for record in codec().encode(results(), (letter(b"{"),))]
    assert count == ["dlq", "scores", "scores", "scores", "embeddings"]
    assert [record.topic for record in codec().encode(None, (letter(b"{"),))] == ["dlq"]
    off = OutputsConfig(scores=OutputConfig(enabled=False), embeddings=OutputConfig(enabled=False))
    assert codec(outputs=off).encode(results()) == []


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_decoder_takes_the_configuration(name: str) -> None:
    """Each entry of the registry decodes under the configured topic, fields and limits."""
    built = codec(
        input=InputConfig(topic="plant", codec=name, max_message_bytes=3),
        modality=SensorConfig(fields=["a", "b"]),
    )
    assert built.decoder.decode(Slice(0, 1, 0, 0, []), None).schema == Schema(("a", "b"))


def test_the_registries_and_the_configuration_name_the_same_codecs() -> None:
    """What may be configured exists, and the error for anything else lists the names."""
    formats = set(get_args(OutputConfig.model_fields["format"].annotation))
    assert formats == SCORES.keys() == EMBEDDINGS.keys()
    assert set(get_args(InputConfig.model_fields["codec"].annotation)) == DECODERS.keys()
    with pytest.raises(UnknownCodecError, match=r"no codec 'avro'; there are: arrow, json"):
        codec(input=InputConfig.model_construct(codec="avro"))  # type: ignore[arg-type]


def test_the_reasons_are_a_fixed_small_vocabulary() -> None:
    """They are metric labels: few, unique, lower case."""
    assert len(REASONS) == len(set(REASONS)) <= 16
    assert all(reason.isidentifier() and reason.islower() for reason in REASONS)


def test_the_documentation_names_every_reason_field_and_header() -> None:
    """`docs/outputs.md` is complete: subscribers need not read the code."""
    text = (Path(__file__).parents[2] / "docs" / "outputs.md").read_text()
    records = codec().encode(results(), (letter(b"{"),))
    headers = {name for record in records for name, _ in record.headers}
    fields = {*json.loads(GOLDEN), "expected_text", "actual_text", "vector", "space"}
    assert {word for word in {*REASONS, *headers, *fields} if f"`{word}`" not in text} == set()
