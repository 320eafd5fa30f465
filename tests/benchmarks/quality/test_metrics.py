"""Metrics: against an independent row-by-row computation, and at their fixed points."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from benchmarks.quality.metrics import MissingExtraError, evaluate
from benchmarks.quality.vus import DEFAULT_PERIOD, NUM_THRESHOLDS, find_period, segments, vus_pr
from streamssl.data.events import FloatArray, IntArray


def slow_vus_pr(scores: FloatArray, label: IntArray, window: int) -> float:
    """The definition, one buffer and one threshold at a time."""
    num_rows, runs = len(label), list(zip(*segments(label), strict=True))
    positions = np.linspace(0, num_rows - 1, NUM_THRESHOLDS).astype(int)
    thresholds = np.sort(scores)[::-1][positions]
    areas = []
    for buffer in range(window + 1):
        half = buffer // 2
        widened = label.astype(float)
        for start, stop in runs:
            for step in range(1, half + 1):
                for row in (start - step, stop - 1 + step):
                    if 0 <= row < num_rows:
                        widened[row] = min(1.0, widened[row] + np.sqrt(1 - step / buffer))
        joined = [[max(runs[0][0] - half, 0), runs[0][1] - 1 + half]]
        for start, stop in runs[1:]:
            if joined[-1][1] < start - half:
                joined.append([start - half, stop - 1 + half])
            else:
                joined[-1][1] = stop - 1 + half
        area, recall_before = 0.0, 0.0
        for threshold in thresholds:
            predicted = scores >= threshold
            kept = np.where(label == 1, 1.0, widened * predicted)
            found = np.mean([predicted[a : b + 1].any() for a, b in joined])
            true = float(kept @ predicted)
            recall = min(true / ((label.sum() + kept.sum()) / 2), 1.0) * found
            area += (recall - recall_before) * true / predicted.sum()
            recall_before = recall
        areas.append(area)
    return float(np.mean(areas))


@pytest.mark.parametrize("seed", range(4))
def test_vus_pr_equals_its_definition(seed: int) -> None:
    """The vectorised volume is the one that the definition gives, with ties and at the edges."""
    rng = np.random.default_rng(seed)
    label = np.zeros(300, np.int64)
    for start in [0, 40, 55, 290][seed:]:
        label[start : start + 10] = 1
    decimals = 1 if seed % 2 else 6
    scores = np.round(rng.random(300) + 0.5 * label, decimals).astype(np.float64)
    assert vus_pr(scores, label, 30) == pytest.approx(slow_vus_pr(scores, label, 30), abs=1e-12)


def test_perfect_and_constant_scores_have_known_values() -> None:
    """A perfect score reaches 1 on point metrics; a constant one knows only the share."""
    label = np.zeros(500, np.int64)
    label[200:250] = 1
    use, values = np.ones(500, np.int64), np.random.default_rng(0).random((500, 2))
    perfect = evaluate(label.astype(float), label, use, values)
    constant = evaluate(np.zeros(500), label, use, values)
    assert (perfect["auroc"], perfect["aupr"]) == (1.0, 1.0)
    assert perfect["vus_pr"] > 0.75
    assert constant["auroc"] == 0.5
    assert constant["aupr"] == pytest.approx(0.1)


def test_only_counted_rows_matter() -> None:
    """What a detector said during the warm-up changes no metric."""
    rng = np.random.default_rng(1)
    label, use = (rng.random(400) < 0.2).astype(np.int64), np.repeat([0, 1], 200)
    scores, values = rng.random(400), rng.random((400, 1))
    other = np.where(use == 1, scores, 1e9)
    assert evaluate(scores, label, use, values) == evaluate(other, label, use, values)


def test_a_series_without_anomalies_has_no_metrics() -> None:
    """A series without labelled rows is left out instead of counted as a zero."""
    zeros = np.zeros(50, np.int64)
    assert evaluate(np.arange(50.0), zeros, zeros + 1, np.zeros((50, 1))) == {}


def test_period_of_waves_noise_and_constants() -> None:
    """The window follows the series' own period, and the stated default where it has none."""
    wave = np.sin(np.arange(3_000) * 2 * np.pi / 120)
    assert abs(find_period(wave) - 120) <= 1
    assert find_period(np.full(1_000, 3.0)) == DEFAULT_PERIOD
    assert find_period(np.empty(0)) == DEFAULT_PERIOD


def test_missing_scikit_learn_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional dependency the error says what to install."""
    real_import = builtins.__import__

    def no_sklearn(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_sklearn)
    with pytest.raises(MissingExtraError, match=r"pip install streamssl\[bench\]"):
        evaluate(np.zeros(2), np.array([0, 1]), np.ones(2, np.int64), np.zeros((2, 1)))
