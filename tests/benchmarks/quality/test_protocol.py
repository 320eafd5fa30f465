"""The protocol: one pass by a fresh learner, judged on the rows that count, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality.alerts import AlertCounts, at_budget, count_alerts
from benchmarks.quality.detectors import (
    NO_INCIDENT,
    AlertColumns,
    Detector,
    PeerDetector,
    StreamDetector,
)
from benchmarks.quality.peers import PEERS
from benchmarks.quality.protocol import (
    DetectorTask,
    ShiftOutcome,
    processes,
    run_all,
    run_shift,
    run_task,
    series_tasks,
    shift_tasks,
)
from benchmarks.quality.quarantine import ordinary_rows
from benchmarks.quality.report import Report
from benchmarks.quality.statistics import RunningGaussian
from benchmarks.quality.synthetic import level_shift, mini_suite, rows_until_accepted
from tests.benchmarks.quality.fakes import FirstChannel, small_series

LIGHT = ("learn.burst_steps=0", "learn.samples_per_event=0", "modality.window=8")
KNOWN = FirstChannel(("streamssl `raw`", "streamssl `raw_gaussian`"), alerts=True)
GATED = "gated Mahalanobis, lagged"


def test_ours_gives_every_score_column_in_file_order() -> None:
    """Chunks join to the whole series; the fused score and one column a scorer are judged."""
    detection = StreamDetector(overrides=LIGHT).detect(small_series(), seed=0)
    assert list(detection.scores) == [
        "streamssl `raw`",
        "streamssl `raw_gaussian`",
        "streamssl `raw_window`",
        "streamssl `raw_residual`",
    ]
    for name, score_N in detection.scores.items():
        assert len(score_N) == 10_000
        if "window" in name:  # Under four channels it is silent.
            assert not score_N.any()
            continue
        assert all(score_N[row] > 10 + score_N[row - 1] for row in (5_000, 6_000, 8_000))
    assert detection.alerts is not None
    assert detection.alerts.incident[[4_999, 5_000, 5_019]].tolist() == [NO_INCIDENT, 0, 0]


def test_the_seed_is_the_learners_and_one_column_may_be_enough() -> None:
    """Another seed gives other scores; with `columns` the others, and the alerts, are left out."""
    ours, series = StreamDetector(overrides=LIGHT, columns=("raw",)), small_series()
    first, other = (ours.detect(series, seed) for seed in (0, 2))
    assert list(first.scores) == ["streamssl `raw`"]
    assert first.alerts is None
    assert not np.array_equal(first.scores["streamssl `raw`"], other.scores["streamssl `raw`"])


def test_outcomes_hold_metrics_and_the_alert_layer() -> None:
    """Two labelled runs are hit, the lone alert is false only as an incident of its own."""
    outcome, *others = run_task(DetectorTask(KNOWN, small_series(), seed=0))
    assert outcome.metrics["auroc"] == 1.0
    assert all(not other.alerts for other in others)
    configured, one_percent = outcome.alerts["configured"], outcome.alerts["1%"]
    assert (configured.num_hit, configured.num_segments, configured.num_false) == (2, 2, 0)
    assert (one_percent.num_hit, one_percent.num_incidents, one_percent.num_false) == (2, 3, 1)
    assert configured.num_rows == 9_000
    assert one_percent.alert_rate == pytest.approx(41 / 9_000)
    assert one_percent.false_per_10k == pytest.approx(1e4 / 9_000)


def test_alerts_before_the_counted_rows_are_not_counted() -> None:
    """Warm-up alerts neither hit nor are false."""
    alert = np.array([True, True, False, False])
    label, use = np.array([1, 0, 1, 0]), np.array([0, 0, 1, 1])
    counts = count_alerts(alert, np.zeros(4, np.int64), label, use)
    assert counts == AlertCounts(num_rows=2, num_normal_rows=1, num_segments=1)


def test_incidents_at_another_budget_end_after_the_gap() -> None:
    """Alerts at most `gap` rows apart are one incident; warming rows never alert."""
    p_value = np.array([1e-4, 1e-4, 1.0, 1e-4, 1.0, 1.0, 1e-4])
    warming = np.array([True] + 6 * [False])
    columns = AlertColumns(p_value, warming, np.full(7, -1), warming)
    anomaly, incident = at_budget(columns, 0.01, gap=2)
    assert anomaly.tolist() == [False, True, False, True, False, False, True]
    assert incident.tolist() == [-1, 0, -1, 0, -1, -1, 1]


@pytest.mark.parametrize("name", PEERS)
def test_peers_are_prequential(name: str) -> None:
    """Changing the future changes no past score; the warm-up of the frozen one is not judged."""
    values = mini_suite(num_series=1, num_rows=900)[0].values_NC.astype(np.float64)
    changed = values.copy()
    changed[700:] += 5.0
    before = PEERS[name](0, 400).score_one_pass(values)
    after = PEERS[name](0, 400).score_one_pass(changed)
    np.testing.assert_array_equal(before[400:700], after[400:700])
    assert before.shape == (900,)


def test_slow_gate_refuses_a_shift_and_then_accepts_it() -> None:
    """A lasting shift is not learnt for about 500 events, and then is."""
    series = level_shift(600)
    learnt = ordinary_rows(series.values_NC.astype(np.float64))
    assert learnt[:400].all()
    assert not learnt[650:1_080].any()
    assert learnt[1_200:1_300].mean() > 0.5


def test_peers_carry_missing_values_forward() -> None:
    """A gap in the input gives no gap in the scores."""
    series = mini_suite(num_series=1, num_rows=900)[0]
    series.values_NC[[0, 450, 451], 1] = np.nan
    (scores,) = PeerDetector(GATED).detect(series, 0).scores.values()
    assert np.isfinite(scores).all()


def test_running_gaussian_equals_the_batch_formula() -> None:
    """Learning in pieces gives the mean and covariance of all rows."""
    rows = np.random.default_rng(0).random((300, 4))
    gaussian = RunningGaussian()
    for piece in np.split(rows, [1, 40, 200]):
        gaussian.learn(piece)
    np.testing.assert_allclose(gaussian.mean_F, rows.mean(axis=0))
    np.testing.assert_allclose(gaussian.covariance_FF, np.cov(rows.T, bias=True), atol=1e-12)


def test_gated_mahalanobis_finds_injected_anomalies() -> None:
    """The bar is a real bar: well above chance on the generated suite."""
    aurocs = [
        run_task(DetectorTask(PeerDetector(GATED), series, 0))[0].metrics["auroc"]
        for series in mini_suite()
    ]
    assert np.mean(aurocs) > 0.85


def test_a_shift_is_accepted_when_the_score_is_ordinary_again() -> None:
    """The count runs from the shift to the end of the first ordinary stretch of 64 rows."""
    scores = np.random.default_rng(0).random(2_000)
    scores[600:1_000] += 10.0
    assert rows_until_accepted(scores, history=600) == pytest.approx(432, abs=2)
    scores[600:] += 10.0
    assert rows_until_accepted(scores, history=600) is None


def test_a_run_in_processes_writes_the_page_and_every_series(tmp_path: Path) -> None:
    """Results come back in order from other processes; the page shows bad rows too."""
    series = [small_series(set_name="a"), small_series(set_name="b")]
    detectors: list[Detector] = [KNOWN, FirstChannel((GATED,))]
    done: list[int] = []
    tasks = series_tasks(detectors, series, 2)
    with processes(2) as pool:
        outcomes = run_all(pool, run_task, tasks, lambda: done.append(1))
        shifts = run_all(pool, run_shift, shift_tasks(detectors[1:], (600,), 1), lambda: None)
    Report("streamssl bench quality", 0.001, outcomes, shifts).write(tmp_path / "quality.md")
    page = (tmp_path / "quality.md").read_text()
    assert len(done) == len(tasks) == 8
    assert "| streamssl `raw` | 1.000 ± .000 |" in page
    assert "0 of 1 (+0.000)" in page
    assert "| 0.10% (configured) | 4 of 4 (100%) | 0.00 |" in page
    records = json.loads((tmp_path / "quality" / "a.json").read_text())
    assert {record["row"] for record in records} >= {"streamssl `raw`", GATED}
    assert shifts == [ShiftOutcome(GATED, 600, 0, None)]


def test_the_generated_series_are_the_same_every_time() -> None:
    """Seeds decide everything; the shift begins where the warm-up ends."""
    np.testing.assert_array_equal(mini_suite()[1].values_NC, mini_suite()[1].values_NC)
    series = level_shift(600)
    assert (series.num_warmup, len(series.label)) == (600, 2_900)
    assert series.values_NC[600:, 0].mean() - series.values_NC[:600, 0].mean() > 4
