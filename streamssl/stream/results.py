"""From judged rows to what is published: shares, expected values, neighbours.

A = explained events, B = events, P = parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from streamssl.alerts.budget import severity
from streamssl.alerts.incident_fields import FieldStep
from streamssl.alerts.incidents import NONE, IncidentStep
from streamssl.data.events import EventBatch, FloatArray, IntArray
from streamssl.data.results import Explanation, Results
from streamssl.data.spaces import SpaceOpening
from streamssl.modalities import Modality
from streamssl.scorers import Measurement
from streamssl.scorers.ensemble import Ensemble
from streamssl.scorers.scored import Scored, TellStep
from streamssl.stream.drift import DriftWatch
from streamssl.stream.incident_teller import IncidentTeller


class ResultsBuilder:
    """Makes results of judged events; reads, and changes nothing.

    Args:
        modality: Says what was expected and what came.
        ensemble: Judged the events.
        neighbours: Nearest past events named for an anomaly, and incidents for an incident.
        drift: Knows what drifted as the epoch before ended.
        opening: Says why the present embedding space began.
    """

    def __init__(
        self,
        *,
        modality: Modality[Any],
        ensemble: Ensemble,
        neighbours: int,
        drift: DriftWatch,
        opening: Callable[[], SpaceOpening | None],
    ) -> None:
        self._modality, self._ensemble, self._neighbours = modality, ensemble, neighbours
        self._drift, self._opening = drift, opening
        self._teller = IncidentTeller(ensemble=ensemble, neighbours=neighbours)
        self._nothing: Explanation | None = None

    def build(
        self,
        batch: EventBatch,
        scored: Scored,
        measurement: Measurement[Any],
        incidents: IncidentStep,
        *,
        epoch: int,
        space: str,
    ) -> tuple[Results, FieldStep, TellStep | None]:
        """What is published of a batch; anomalies carry an explanation, incidents are told."""
        explained = np.flatnonzero(scored.anomaly_B)
        explanation = self._explanation(batch, scored, measurement, explained)
        top_field = measurement.judged(lambda measured: measured.top_B).copy()
        top_field[explained] = explanation.attribution_AP.argmax(1)
        incident_field, step = self._ensemble.incident_fields.read(
            scored.slots, incidents.state_B, scored.anomaly_B, top_field
        )
        results = Results(
            batch=batch,
            parts=self._modality.parts,
            epoch=epoch,
            score=1.0 - scored.p_B,
            p_value=scored.p_B,
            raw=scored.raw_B,
            threshold=1.0 - scored.threshold_B,
            anomaly=scored.anomaly_B,
            severity=severity(scored.p_B, scored.anomaly_B, scored.threshold_B),
            incident_id=_incident_ids(batch, incidents),
            incident_state=incidents.state_B,
            incident_field=incident_field,
            warming=scored.warming_B,
            top_field=top_field,
            raw_scores=dict(zip(self._ensemble.names, scored.scores_BS.T, strict=True)),
            explained=explained,
            explanation=explanation,
            embedding_BD=scored.seen.embedding_BD,
            space=space,
            opening=self._opening(),
            drifts=self._drift.found,
        )
        records, told = self._teller.tell(scored.slots, results)
        return replace(results, incidents=records), step, told

    def _explanation(
        self,
        batch: EventBatch,
        scored: Scored,
        measurement: Measurement[Any],
        explained: IntArray,
    ) -> Explanation:
        """Of the rows explained; of none it is always the same, and most batches have none."""
        if self._nothing is not None and not len(explained):
            return self._nothing
        anomalies = scored.take(explained)
        seen = replace(anomalies.seen, measured=measurement.judged_at(explained))
        found = self._explain(batch.take(explained), replace(anomalies, seen=seen))
        if not len(explained):
            self._nothing = found
        return found

    def _explain(self, batch: EventBatch, anomalies: Scored) -> Explanation:
        measured = anomalies.seen.measured
        expected, size_A1 = self._modality.expected(measured), self._ensemble.alarm_size(anomalies)
        room_AN = size_A1[:, None] * self._modality.expected_spread(measured)
        return Explanation(
            attribution_AP=_blamed(self._ensemble.attribution(anomalies), anomalies),
            expected=expected,
            expected_low_AN=expected.numbers_AN - room_AN,
            expected_high_AN=expected.numbers_AN + room_AN,
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


def _blamed(share_AP: FloatArray, anomalies: Scored) -> FloatArray:
    """Half of the blame goes to the part that stands out by the evidence that alarmed."""
    suspect_A = anomalies.seen.measured.suspect(anomalies.winner_B)
    rows = np.flatnonzero(suspect_A >= 0)
    share_AP[rows] *= 0.5
    share_AP[rows, suspect_A[rows]] += 0.5
    return share_AP


def _incident_ids(batch: EventBatch, incidents: IncidentStep) -> list[str | None]:
    """Id of the first event of each row's incident; None outside incidents."""
    ids: list[str | None] = [None] * len(batch)
    rows = np.flatnonzero(incidents.state_B != NONE)
    columns = (batch.partition[rows], incidents.offset_B[rows], incidents.index_B[rows])
    for row, p, o, i in zip(rows.tolist(), *(c.tolist() for c in columns), strict=True):
        ids[row] = f"{batch.topic}/{p}/{o}/{i}"
    return ids
