"""Our own vectors of a stream, and how the same windows look in one space and in the next.

T = rows of a machine, K = machines, D = embedding size, A = anchor rows of a machine, N = anchors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.quality.embeddings.fleet import Fleet, events
from benchmarks.quality.embeddings.tally import Ratio, tally
from benchmarks.quality.embeddings.vectors import Vectors
from streamssl.config.settings import load_config
from streamssl.data.events import Float32Array, FloatArray

if TYPE_CHECKING:
    from streamssl.stream import StreamLearner

# Rows a machine between which anchors are compared: half-way between doublings of 512.
CHECKPOINTS = (750, 1_500, 3_000, 6_000)
_CHUNK = 4_096
_CONTEXT_ROWS = 300
_MOST_ANCHORS = 1_800
_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class OurVectors:
    """One pass of a fresh learner over a stream; it crosses process borders.

    Attributes:
        name: What its rows are called in the report.
        overrides: Settings as `section.key=value`; everything else is the default.
    """

    name: str
    overrides: tuple[str, ...] = ()

    def embed(self, fleet: Fleet, seed: int) -> tuple[Vectors, dict[str, Ratio]]:
        """The published vectors of every row, and the anchors' cosines through the stream."""
        # Here, because importing torch takes longer than a peer's whole pass.
        from streamssl.stream import StreamLearner

        config = load_config(None, [*self.overrides, f"app.seed={seed}"], environ={})
        learner, anchors = StreamLearner(config), Anchors(fleet)
        found: list[Float32Array] = []
        for start, stop in _pieces(fleet):
            found.append(learner.process(events(fleet, start, stop)).embedding_BD)
            anchors.look(learner, stop)
        values_BD = np.concatenate(found)
        values_TKD = values_BD.reshape(-1, len(fleet.keys), values_BD.shape[1])
        return Vectors(self.name, values_TKD, learner.slices), anchors.tallies


class Anchors:
    """The same windows embedded at one checkpoint and at the next.

    Anchors are the newest rows at the earlier checkpoint; the rows before them are embedded, too,
    so that both times they stand in the same context. Half of the anchors fit a linear map from
    the earlier vectors to the later ones (ridge 1, with a constant), the later half judges it.

    Attributes:
        tallies: Mean cosine between two checkpoints, as the vectors are and after the map.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._num_rows = min(_MOST_ANCHORS // len(fleet.keys), CHECKPOINTS[0] - _CONTEXT_ROWS)
        self._before: tuple[int, FloatArray] | None = None
        self.tallies: dict[str, Ratio] = {}

    def look(self, learner: StreamLearner, num_rows: int) -> None:
        """Compare with the last checkpoint where the learner has come to one; it stays as it is."""
        if num_rows not in CHECKPOINTS:
            return
        if self._before is not None:
            earlier, vectors_AKD = self._before
            now_AKD = self._embedded(learner, earlier, num_rows)
            name = f"{earlier:,} → {num_rows:,}"
            found = anchor_cosines(vectors_AKD, now_AKD, self._fleet.keys)
            self.tallies |= {f"{name}{after}": one for after, one in found.items()}
        self._before = num_rows, self._embedded(learner, num_rows, num_rows)

    def _embedded(self, learner: StreamLearner, checkpoint: int, num_rows: int) -> FloatArray:
        """`[A, K, D]` anchors of a checkpoint as if they came next."""
        start = checkpoint - self._num_rows - _CONTEXT_ROWS
        batch = events(self._fleet, start, checkpoint, first_row=num_rows)
        vectors_BD = learner.embed(batch)
        vectors_TKD = vectors_BD.reshape(-1, len(self._fleet.keys), vectors_BD.shape[1])
        return vectors_TKD[_CONTEXT_ROWS:].astype(np.float64)


def anchor_cosines(
    before_AKD: FloatArray, after_AKD: FloatArray, keys: tuple[str, ...]
) -> dict[str, Ratio]:
    """Mean cosine of the later half of the anchors, as they are and after the fitted map.

    Returns:
        By what is added to a name: `` and ` mapped`.
    """
    fit, judged = slice(None, len(before_AKD) // 2), slice(len(before_AKD) // 2, None)
    size = before_AKD.shape[2]
    x_ND, y_ND = before_AKD[fit].reshape(-1, size), after_AKD[fit].reshape(-1, size)
    x_NE = _with_constant(x_ND)
    map_ED = np.linalg.solve(x_NE.T @ x_NE + _RIDGE * np.eye(size + 1), x_NE.T @ y_ND)
    plain_MD, target_MD = before_AKD[judged].reshape(-1, size), after_AKD[judged].reshape(-1, size)
    machine_M = np.arange(len(plain_MD)) % len(keys)
    return {
        name: tally(keys, machine_M, _cosine(x_MD, target_MD), np.ones(len(x_MD)))
        for name, x_MD in (("", plain_MD), (" mapped", _with_constant(plain_MD) @ map_ED))
    }


def _pieces(fleet: Fleet) -> Iterator[tuple[int, int]]:
    """Rows in pieces of about 4,096 events, with a border at every checkpoint."""
    num_rows, size = len(fleet.values_TKC), max(1, _CHUNK // len(fleet.keys))
    borders = sorted({*range(0, num_rows, size), *CHECKPOINTS, num_rows})
    borders = [border for border in borders if border <= num_rows]
    yield from pairwise(borders)


def _with_constant(x_ND: FloatArray) -> FloatArray:
    return np.concatenate([x_ND, np.ones((len(x_ND), 1))], axis=1)


def _cosine(x_ND: FloatArray, y_ND: FloatArray) -> FloatArray:
    length_N = np.linalg.norm(x_ND, axis=1) * np.linalg.norm(y_ND, axis=1)
    return np.asarray((x_ND * y_ND).sum(axis=1) / np.maximum(length_N, 1e-9))
