"""The catalogue exports what the daemon did, under good names."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamssl.data.events import EventBatch
from streamssl.data.incident_records import IncidentRecords, IncidentTable
from streamssl.data.results import EpochReport, Results, Spread
from streamssl.telemetry import Metrics
from streamssl.telemetry.catalogue import Catalogue
from streamssl.telemetry.histogram import ColumnHistogram
from tests.made_results import made_results


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every exported sample, as a scraper reads it."""
    text = generate_latest(metrics.registry).decode()
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def results(num: int) -> Results:
    """Results of `num` events; the last is an anomaly that opens an incident."""
    last = np.arange(num) == num - 1
    zeros = np.zeros(num, np.int64)
    batch = EventBatch(
        *("events", zeros, np.arange(num), zeros),
        pa.array([""] * num, pa.string()),
        np.arange(num, dtype=float),
        ("a",),
        np.zeros((num, 1), np.float32),
    )
    return made_results(
        batch,
        score=np.where(last, 0.9999, 0.2),
        p_value=np.where(last, 0.0001, 0.8),
        threshold=np.full(num, 0.999),
        anomaly=last,
        severity=np.where(last, 3, 0),
        incident_state=np.where(last, 1, 0),
        raw_scores={},
    )


def test_an_epoch_report_is_exported() -> None:
    """Counters add up over epochs; an unknown figure leaves the last known one."""
    metrics = Metrics()
    report = EpochReport(
        epoch=4, num_events=10, num_learnt=7, num_gated=3, num_steps=3, num_steps_nonfinite=1,
        keys_evicted=2, losses={"moco": 1.5},
    )  # fmt: skip
    metrics.observe(report)
    metrics.observe(EpochReport(epoch=5, num_events=1, num_learnt=1))
    found = samples(metrics)
    assert found["streamssl_learn_rows_total", (("outcome", "learnt"),)] == 8
    assert found["streamssl_learn_rows_total", (("outcome", "gated"),)] == 3
    assert found["streamssl_learn_steps_total", (("outcome", "applied"),)] == 3
    assert found["streamssl_learn_steps_total", (("outcome", "nonfinite"),)] == 1
    assert found["streamssl_loss", (("objective", "moco"),)] == 1.5
    assert found["streamssl_keys_evicted_total", ()] == 2
    assert found["streamssl_epoch", ()] == 6


def test_the_spread_of_embeddings_is_wanted_where_it_is_looked_at() -> None:
    """A scrape tells what was measured for the one before, and asks for the next."""
    metrics = Metrics()
    assert not metrics.wants_spread
    assert math.isnan(samples(metrics)["streamssl_embedding_effective_rank", ()])
    assert metrics.wants_spread
    metrics.observe_spread(Spread(5.0, 0.25))
    assert not metrics.wants_spread
    found = samples(metrics)
    assert found["streamssl_embedding_effective_rank", ()] == 5.0
    assert found["streamssl_embedding_min_standard_deviation", ()] == 0.25
    assert metrics.wants_spread


def test_results_are_exported() -> None:
    """Scores and anomalies by severity; nothing for an empty batch."""
    metrics = Metrics()
    metrics.observe_results(results(5))
    metrics.observe_results(results(0))
    found = samples(metrics)
    assert found["streamssl_anomaly_score_count", ()] == 5
    assert found["streamssl_anomaly_score_bucket", (("le", "0.5"),)] == 4
    assert found["streamssl_anomalies_total", (("severity", "high"),)] == 1
    assert found["streamssl_anomalies_total", (("severity", "low"),)] == 0
    assert found["streamssl_anomaly_threshold", ()] == 0.999


def test_what_is_told_of_incidents_is_counted_by_kind() -> None:
    """One start and no end of it yet."""
    metrics, table = Metrics(), IncidentTable.empty(2, 0)
    records = IncidentRecords(np.array([3]), np.array([0]), table, [[]])
    metrics.observe_results(replace(results(5), incidents=records))
    found = samples(metrics)
    assert found["streamssl_incident_records_total", (("kind", "start"),)] == 1
    assert found["streamssl_incident_records_total", (("kind", "end"),)] == 0


def test_names_follow_the_conventions() -> None:
    """Prefix, base units, `_total` for counters only, help for all, and never a key as label."""
    entries = Metrics().catalogue
    assert len({entry.name for entry in entries}) == len(entries) > 30
    for entry in entries:
        assert re.fullmatch(r"streamssl_[a-z_]+", entry.name)
        assert entry.name.endswith("_total") == (entry.kind == "counter")
        assert not entry.name.endswith(("_ms", "_milliseconds", "_percent"))
        assert entry.documentation.endswith(".")
        assert "key" not in entry.labels


def test_known_values_are_there_from_the_start() -> None:
    """A counter whose values are known starts at 0, so that its first increase is seen."""
    found = samples(Metrics())
    assert found["streamssl_learn_steps_total", (("outcome", "nonfinite"),)] == 0
    assert found["streamssl_checkpoints_total", (("outcome", "failed"),)] == 0


def test_two_daemons_in_one_process_do_not_mix() -> None:
    """Each has its own registry."""
    one, two = Metrics(), Metrics()
    one.epoch.set(7)
    assert samples(two)["streamssl_epoch", ()] == 0


def test_process_metrics_are_exported() -> None:
    """Memory, file descriptors and start time come with the rest."""
    names = {name for name, _ in samples(Metrics())}
    assert {"process_resident_memory_bytes", "process_open_fds"} <= names


@given(st.lists(st.lists(st.floats(-5, 5), max_size=20), max_size=5))
def test_a_column_is_counted_as_its_values_would_be(columns: list[list[float]]) -> None:
    """Bucket by bucket equal to the plain definition, however values are grouped."""
    histogram = ColumnHistogram("x", "Help.", buckets=(0.0, 1.0, 2.5))
    for column in columns:
        histogram.observe(np.array(column, np.float64))
    values = [value for column in columns for value in column]
    found = {s.labels.get("le", s.name): s.value for s in next(iter(histogram.collect())).samples}
    for bound in ("0", "1", "2.5"):
        assert found[bound] == sum(value <= float(bound) for value in values)
    assert found["+Inf"] == found["x_count"] == len(values)
    assert math.isclose(found["x_sum"], sum(values), abs_tol=1e-9)


def test_a_metric_is_declared_once() -> None:
    """Declaring a name twice on one registry is a programmer's error."""
    metrics = Metrics()
    with pytest.raises(ValueError, match="Duplicated"):
        Catalogue(metrics.registry).gauge("epoch", "The open epoch.")
