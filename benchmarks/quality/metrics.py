"""Threshold-free quality of one score column against labels that the detector never saw."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.quality.vus import find_period, vus_pr
from streamssl.data.events import Float32Array, FloatArray, IntArray, StreamsslError

Metric = Callable[[IntArray, FloatArray], float]
METRICS = ("auroc", "aupr", "vus_pr")


class MissingExtraError(StreamsslError):
    """The benchmark's optional dependencies are not installed."""

    exit_code = 2


def evaluate(
    scores: FloatArray, label: IntArray, use: IntArray, values: FloatArray | Float32Array
) -> dict[str, float]:
    """AUROC, average precision and VUS-PR on the rows that count.

    Args:
        scores: `[N]`, higher is more anomalous.
        label: `[N]` 1 = anomaly.
        use: `[N]` 1 = the metrics count this row.
        values: `[N, C]`; the period of the first channel, over the rows that count, is the
            window of VUS-PR, as in TSB-AD.

    Returns:
        `auroc`, `aupr` and `vus_pr`; an empty dict where the counted rows hold one class only.

    Raises:
        MissingExtraError: Without scikit-learn.
    """
    average_precision_score, roc_auc_score = require_sklearn()
    counted = np.asarray(use) == 1
    y = np.asarray(label)[counted].astype(np.int64)
    s = np.asarray(scores, np.float64)[counted]
    if not 0 < y.sum() < len(y):
        return {}
    period = find_period(np.nan_to_num(np.asarray(values, np.float64)[counted, 0]))
    return {
        "auroc": float(roc_auc_score(y, s)),
        "aupr": float(average_precision_score(y, s)),
        "vus_pr": vus_pr(s, y, period),
    }


def require_sklearn() -> tuple[Metric, Metric]:
    """Average precision and AUROC, as scikit-learn computes them.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        from sklearn.metrics import average_precision_score, roc_auc_score
    except ImportError as error:
        raise MissingExtraError(
            "The benchmark needs scikit-learn, which is not installed: "
            "run `pip install streamssl[bench]`."
        ) from error
    return average_precision_score, roc_auc_score
