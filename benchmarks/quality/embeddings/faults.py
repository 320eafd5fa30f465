"""Probes of incidents: a kind known from a few labels, and the nearest past incident.

An incident is the mean of its rows' vectors from its 8th row on; incidents are compared by the
cosine. Labels and what is searched come earlier in the stream than what is judged, and never from
the machine that is judged.

I = incidents, J = those labelled, Q = those judged, D = size of a vector, G = kinds.
"""

from __future__ import annotations

import numpy as np

from benchmarks.quality.embeddings.fleet import Fleet, KnownIncidents
from benchmarks.quality.embeddings.tally import Ratio, balanced, merged
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray

SHOTS = (1, 5)
FROM_ROW = 8
_NUM_DRAWS = 20
# Of the stream: incidents between the two may be labelled, those after the second are judged.
_LABEL_SHARE, _JUDGE_SHARE = 0.4, 0.6
_CLIP = 20.0
_SHOT_NAMES = {1: "one-shot", 5: "five-shot"}


def probe_incidents(vectors_TKD: Float32Array, fleet: Fleet) -> dict[str, Ratio]:
    """Every probe of incidents; nothing where the stream has none that are known.

    Returns:
        `one-shot` and `five-shot`: mean over kinds of the share of later incidents on other
        machines whose kind is that of the nearest centroid of so many labelled ones a kind, over
        20 draws of them. `retrieval`: share of incidents whose nearest past incident on another
        machine is of the same kind. All by the machine that is judged.
    """
    known = fleet.incidents
    if known is None:
        return {}
    x_ID, num_rows = incident_vectors(vectors_TKD, known), len(vectors_TKD)
    judged = np.flatnonzero(known.start_I >= _JUDGE_SHARE * num_rows)
    early = (known.start_I >= _LABEL_SHARE * num_rows) & (known.stop_I <= _JUDGE_SHARE * num_rows)
    labelled = np.flatnonzero(early)
    if not len(judged) or not len(labelled):
        return {}
    tallies = {
        _SHOT_NAMES[shots]: _few_shots(x_ID, known, fleet.keys, labelled, judged, shots)
        for shots in SHOTS
    }
    past = np.flatnonzero(known.start_I >= _LABEL_SHARE * num_rows)
    hit_Q = _retrieved(x_ID, known, past, judged)
    machine_Q = known.machine_I[judged]
    one_class_Q = np.zeros(len(judged), np.int64)
    return tallies | {"retrieval": balanced(fleet.keys, machine_Q, one_class_Q, hit_Q)}


def incident_vectors(vectors_TKD: Float32Array, known: KnownIncidents) -> FloatArray:
    """`[I, D]` mean vector of each incident, of length 1."""
    columns = zip(known.machine_I, known.start_I, known.stop_I, strict=True)
    means = [vectors_TKD[start + FROM_ROW : stop, k].mean(axis=0) for k, start, stop in columns]
    return _unit(np.clip(np.array(means, np.float64), -_CLIP, _CLIP))


def _few_shots(
    x_ID: FloatArray,
    known: KnownIncidents,
    keys: tuple[str, ...],
    labelled: IntArray,
    judged: IntArray,
    shots: int,
) -> Ratio:
    rng = np.random.default_rng(5)
    return merged(
        [_one_draw(x_ID, known, keys, labelled, judged, shots, rng) for _ in range(_NUM_DRAWS)]
    )


def _one_draw(
    x_ID: FloatArray,
    known: KnownIncidents,
    keys: tuple[str, ...],
    labelled: IntArray,
    judged: IntArray,
    shots: int,
    rng: np.random.Generator,
) -> Ratio:
    """Label so many incidents a kind, and find the kind of later ones on other machines."""
    of_kind = [labelled[known.kind_I[labelled] == kind] for kind in range(len(known.kinds))]
    drawn = [rng.choice(rows, min(shots, len(rows)), replace=False) for rows in of_kind]
    kinds = [kind for kind, rows in enumerate(drawn) if len(rows)]
    centroid_GD = _unit(np.array([x_ID[drawn[kind]].mean(axis=0) for kind in kinds]))
    other_Q = [
        known.machine_I[q] not in known.machine_I[drawn[known.kind_I[q]]] for q in judged.tolist()
    ]
    rows = judged[np.array(other_Q, np.bool_)]
    found = np.array(kinds)[(x_ID[rows] @ centroid_GD.T).argmax(axis=1)]
    return balanced(keys, known.machine_I[rows], known.kind_I[rows], found == known.kind_I[rows])


def _retrieved(
    x_ID: FloatArray, known: KnownIncidents, past: IntArray, judged: IntArray
) -> BoolArray:
    """`[Q]` whether the nearest incident that was over by then, elsewhere, has the same kind."""
    cosine_QJ = x_ID[judged] @ x_ID[past].T
    over_QJ = known.stop_I[past] <= known.start_I[judged, None]
    elsewhere_QJ = known.machine_I[past] != known.machine_I[judged, None]
    nearest_Q = past[np.where(over_QJ & elsewhere_QJ, cosine_QJ, -np.inf).argmax(axis=1)]
    hit_Q: BoolArray = known.kind_I[nearest_Q] == known.kind_I[judged]
    return hit_Q


def _unit(x_ID: FloatArray) -> FloatArray:
    return np.asarray(x_ID / np.maximum(np.linalg.norm(x_ID, axis=1, keepdims=True), 1e-9))
