"""From judged rows to what is published: shares, expected values, neighbours.

A = explained events, B = events, C = channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamssl.config.sections import AlertsConfig
from streamssl.events import EventBatch, IntArray, concat_batches
from streamssl.results import Results
from streamssl.scorers.alerts import severity
from streamssl.scorers.ensemble import Ensemble, Scored
from streamssl.scorers.incidents import NONE, IncidentStep


def build_results(
    batch: EventBatch,
    scored: Scored,
    incidents: IncidentStep,
    ensemble: Ensemble,
    epoch: int,
    space: str,
    alerts: AlertsConfig,
) -> Results:
    """What is published of a judged batch; anomalies carry an explanation."""
    explained = np.flatnonzero(scored.anomaly_B)
    anomalies = scored.take(explained)
    attribution_AC = ensemble.attribution(anomalies)
    top_field = scored.seen.measured.top_B.copy()
    top_field[explained] = attribution_AC.argmax(1)
    threshold = ensemble.budget.threshold()
    return Results(
        batch=batch,
        epoch=epoch,
        score=1.0 - scored.p_B,
        p_value=scored.p_B,
        raw=scored.raw_B,
        threshold=np.full(len(batch), 1.0 - threshold),
        anomaly=scored.anomaly_B,
        severity=severity(scored.p_B, scored.anomaly_B, threshold),
        incident_id=_incident_ids(batch, incidents),
        incident_state=incidents.state_B,
        warming=scored.warming_B,
        top_field=top_field,
        raw_scores=dict(zip(ensemble.names, scored.scores_BS.T, strict=True)),
        explained=explained,
        attribution_AC=attribution_AC,
        expected_AC=ensemble.expected(anomalies),
        neighbours=_neighbours(batch.topic, anomalies, ensemble, alerts.neighbours),
        embedding_BD=scored.seen.embedding_BD,
        space=space,
    )


def concat_results(parts: Sequence[Results]) -> Results:
    """Join results of consecutive batches; the epoch and space are those of the last."""
    if len(parts) == 1:
        return parts[0]
    begins = np.cumsum([0, *(len(part.batch) for part in parts[:-1])])
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in ARRAY_FIELDS
    }
    return Results(
        batch=concat_batches([part.batch for part in parts]),
        epoch=parts[-1].epoch,
        incident_id=[i for part in parts for i in part.incident_id],
        raw_scores={
            name: np.concatenate([part.raw_scores[name] for part in parts])
            for name in parts[0].raw_scores
        },
        explained=np.concatenate(
            [part.explained + begin for part, begin in zip(parts, begins, strict=True)]
        ),
        neighbours=[n for part in parts for n in part.neighbours],
        space=parts[-1].space,
        **joined,
    )


ARRAY_FIELDS = (
    "score",
    "p_value",
    "raw",
    "threshold",
    "anomaly",
    "severity",
    "incident_state",
    "warming",
    "top_field",
    "attribution_AC",
    "expected_AC",
    "embedding_BD",
)


def _incident_ids(batch: EventBatch, incidents: IncidentStep) -> list[str | None]:
    """Id of the first event of each row's incident; None outside incidents."""
    ids: list[str | None] = [None] * len(batch)
    rows = np.flatnonzero(incidents.state_B != NONE)
    columns = (batch.partition[rows], incidents.offset_B[rows], incidents.index_B[rows])
    for row, p, o, i in zip(rows.tolist(), *(c.tolist() for c in columns), strict=True):
        ids[row] = f"{batch.topic}/{p}/{o}/{i}"
    return ids


def _neighbours(topic: str, anomalies: Scored, ensemble: Ensemble, count: int) -> list[list[str]]:
    """Ids of the nearest remembered events of each anomaly."""
    if count == 0 or not len(anomalies.raw_B):
        return [[] for _ in range(len(anomalies.raw_B))]
    nearest: IntArray = ensemble.memory.nearest(anomalies.seen.embedding_BD, count)
    return [[f"{topic}/{p}/{o}/{i}" for p, o, i in row] for row in nearest.tolist()]
