"""From judged rows to what is published: shares, expected values, neighbours.

A = explained events, B = events, P = parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streamssl.alerts.budget import severity
from streamssl.alerts.incidents import NONE, IncidentStep
from streamssl.data.events import EventBatch, IntArray
from streamssl.data.results import Explanation, Results
from streamssl.modalities import Modality
from streamssl.scorers.ensemble import Ensemble, Scored


class ResultsBuilder:
    """Makes results of judged events; reads, and changes nothing.

    Args:
        modality: Says what was expected and what came.
        ensemble: Judged the events.
        neighbours: Nearest past events named for an anomaly.
    """

    def __init__(self, *, modality: Modality[Any], ensemble: Ensemble, neighbours: int) -> None:
        self._modality, self._ensemble, self._neighbours = modality, ensemble, neighbours
        self._nothing: Explanation | None = None

    def build(
        self,
        batch: EventBatch,
        scored: Scored,
        incidents: IncidentStep,
        *,
        epoch: int,
        space: str,
    ) -> Results:
        """What is published of a batch; anomalies carry an explanation."""
        explained = np.flatnonzero(scored.anomaly_B)
        explanation = self._explanation(batch, scored, explained)
        top_field = scored.seen.measured.top_B.copy()
        top_field[explained] = explanation.attribution_AP.argmax(1)
        threshold = self._ensemble.budget.threshold()
        return Results(
            batch=batch,
            parts=self._modality.parts,
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
            raw_scores=dict(zip(self._ensemble.names, scored.scores_BS.T, strict=True)),
            explained=explained,
            explanation=explanation,
            embedding_BD=scored.seen.embedding_BD,
            space=space,
        )

    def _explanation(self, batch: EventBatch, scored: Scored, explained: IntArray) -> Explanation:
        """Of the rows explained; of none it is always the same, and most batches have none."""
        if len(explained):
            return self._explain(batch.take(explained), scored.take(explained))
        if self._nothing is None:
            self._nothing = self._explain(batch.take(explained), scored.take(explained))
        return self._nothing

    def _explain(self, batch: EventBatch, anomalies: Scored) -> Explanation:
        return Explanation(
            attribution_AP=self._ensemble.attribution(anomalies),
            expected=self._modality.expected(anomalies.seen.measured),
            actual=self._modality.actual(batch),
            neighbours=self._nearest(batch.topic, anomalies),
        )

    def _nearest(self, topic: str, anomalies: Scored) -> list[list[str]]:
        """Ids of the nearest remembered events of each anomaly."""
        if self._neighbours == 0 or not len(anomalies.raw_B):
            return [[] for _ in range(len(anomalies.raw_B))]
        embedding_AD = anomalies.seen.embedding_BD
        nearest: IntArray = self._ensemble.memory.nearest(embedding_AD, self._neighbours)
        return [[f"{topic}/{p}/{o}/{i}" for p, o, i in row] for row in nearest.tolist()]


def _incident_ids(batch: EventBatch, incidents: IncidentStep) -> list[str | None]:
    """Id of the first event of each row's incident; None outside incidents."""
    ids: list[str | None] = [None] * len(batch)
    rows = np.flatnonzero(incidents.state_B != NONE)
    columns = (batch.partition[rows], incidents.offset_B[rows], incidents.index_B[rows])
    for row, p, o, i in zip(rows.tolist(), *(c.tolist() for c in columns), strict=True):
        ids[row] = f"{batch.topic}/{p}/{o}/{i}"
    return ids
