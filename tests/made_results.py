"""Results as a learner would give them, without one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from streamssl.data.events import EventBatch
from streamssl.data.results import OWN, Explanation, Results, Values


def made_results(batch: EventBatch, **changes: Any) -> Results:
    """Ordinary results of a batch but for `changes`; those with `anomaly` are explained.

    Every field explains as much as the others; nothing was expected but zeros.
    """
    num_rows, zeros = len(batch), np.zeros(len(batch), np.int64)
    raw = np.asarray(changes.get("raw", np.ones(num_rows)), np.float64)
    anomaly = np.asarray(changes.get("anomaly", zeros), np.bool_)
    explained = np.asarray(changes.get("explained", np.flatnonzero(anomaly)))
    usual = Results(
        batch=batch,
        parts=batch.fields,
        epoch=1,
        score=1.0 - 1.0 / (1.0 + raw),
        p_value=1.0 / (1.0 + raw),
        raw=raw,
        threshold=np.full(num_rows, 0.99),
        anomaly=anomaly,
        severity=zeros,
        incident_id=[None] * num_rows,
        incident_state=zeros,
        incident_field=zeros - 1,
        warming=np.full(num_rows, OWN),
        top_field=zeros,
        raw_scores={"gaussian": raw},
        explained=explained,
        explanation=made_explanation(batch.take(explained)),
        embedding_BD=np.zeros((num_rows, 2), np.float32),
        space="s",
    )
    return replace(usual, **changes)


def made_explanation(batch: EventBatch, **changes: Any) -> Explanation:
    """The explanation of a batch of anomalies, but for `changes`."""
    shape = batch.values_BC.shape
    texts: list[dict[str, str | None]] = [{} for _ in range(len(batch))]
    usual = Explanation(
        attribution_AP=np.full(shape, 1.0 / max(shape[1], 1)),
        expected=Values(batch.fields, np.zeros(shape), texts),
        expected_low_AN=np.full(shape, -1.0),
        expected_high_AN=np.full(shape, 1.0),
        actual=Values(batch.fields, batch.values_BC.astype(np.float64), texts),
        neighbours=[[] for _ in range(len(batch))],
    )
    return replace(usual, **changes)
