"""A small deterministic learner: its bits depend on everything that it was ever given."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamssl.data.events import EventBatch, Schema
from streamssl.data.results import Decisions, EpochReport, Results, Spread
from streamssl.data.spaces import SliceMap, SpaceOpening, VectorSlice
from streamssl.telemetry.stages import Stages
from tests.made_results import made_results

Key = tuple[int, str]

# The first epoch whose embeddings lie in their final space.
FIRST_FINAL_EPOCH = 4
OPENING = SpaceOpening(
    space="0/space-1",
    previous=None,
    reason="doubling",
    slices=(VectorSlice("state", 0, 1), VectorSlice("network", 1, 2)),
    maps=(SliceMap("state", ((0.5,),), (-1.25,)),),
    anchor_cosine=0.96875,
    anchor_cosine_unmapped=0.123457,
)


class FakeLearner:
    """Scores by the distance from the key's mean as of the last epoch, and from its last value.

    Args:
        every: Events of a full-grown epoch.
        hook: Called with a name at every moment at which a process might die.
    """

    def __init__(self, every: int = 16, hook: Callable[[str], None] = lambda _: None) -> None:
        self.epoch = 1
        self.stages = Stages()
        self.schema: Schema | None = None
        self.weight = 0.0
        self.seen = 0
        self.means: dict[Key, tuple[int, float]] = {}
        self.context: dict[Key, float] = {}
        self.rows: list[tuple[int, int, int, str, float]] = []
        self.decisions: dict[int, Decisions] = {}
        self._every = every
        self._hook = hook

    @property
    def num_open_events(self) -> int:
        return len(self.rows)

    def target(self) -> int:
        return self._target(self.seen)

    def next_target(self) -> int:
        return self._target(self.seen + len(self.rows))

    def _target(self, seen: int) -> int:
        return min(max(seen // 16, 4), self._every)

    def advance(self, batch: EventBatch) -> Results:
        self._hook("advance")
        self.schema = batch.schema
        raw = [self._score(row) for row in _rows(batch)]
        return _results(batch, self.epoch, np.array(raw), self.weight)

    def _score(self, row: tuple[int, int, int, str, float]) -> float:
        partition, _, _, key, value = row
        mean = self.means.get((partition, key), (0, 0.0))[1]
        last = self.context.get((partition, key), 0.0)
        self.context[partition, key] = 0.5 * last + value
        self.rows.append(row)
        return abs(value - mean) + 0.1 * abs(value - last) + abs(self.weight)

    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        self._drop(partition)
        for p, _, _, key, value in _rows(batch) if batch is not None else []:
            self.context[p, key] = 0.5 * self.context.get((p, key), 0.0) + value

    def discard(self, partition: int, from_offset: int) -> None:
        self.rows = [row for row in self.rows if row[0] != partition or row[1] < from_offset]
        self._drop(partition)

    def _drop(self, partition: int) -> None:
        for state in (self.means, self.context):
            for key in [key for key in state if key[0] == partition]:
                del state[key]

    def carry_keys(self) -> int:
        return 0

    def close_epoch(self, decisions: Decisions) -> EpochReport:
        self._hook("learn")
        for partition, _, _, key, value in sorted(self.rows):
            num, mean = self.means.get((partition, key), (0, 0.0))
            self.means[partition, key] = (num + 1, mean + (value - mean) / (num + 1))
            self.weight = 0.9 * self.weight + 0.01 * decisions.learn_rate * (value - mean)
        report = EpochReport(self.epoch, len(self.rows), num_trained=len(self.rows))
        self.decisions[self.epoch] = decisions
        self.seen += len(self.rows)
        self.epoch += 1
        self.rows = []
        self._hook("learnt")
        return report

    def spread(self) -> Spread:
        return Spread(self.weight, 1.0)

    def state_crc32c(self) -> int:
        state = (self.epoch, self.weight.hex(), sorted(self.means.items()))
        return zlib.crc32(repr(state).encode())

    def state_dict(self) -> dict[str, Any]:
        assert not self.rows, "state is taken at epoch boundaries only"
        return {
            "epoch": self.epoch,
            "weight": self.weight,
            "seen": self.seen,
            "schema": None if self.schema is None else list(map(list, self.schema)),
            "means": [[p, key, n, mean] for (p, key), (n, mean) in sorted(self.means.items())],
            "context": [[p, key, last] for (p, key), last in sorted(self.context.items())],
            "array": np.array([self.weight]),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch, self.weight, self.seen = state["epoch"], state["weight"], state["seen"]
        names = state["schema"]
        self.schema = None if names is None else Schema(*map(tuple, names))
        self.means = {(p, key): (n, mean) for p, key, n, mean in state["means"]}
        self.context = {(p, key): last for p, key, last in state["context"]}
        self.rows = []


def _rows(batch: EventBatch) -> list[tuple[int, int, int, str, float]]:
    return list(
        zip(
            batch.partition.tolist(),
            batch.offset.tolist(),
            batch.index.tolist(),
            batch.keys.to_pylist(),
            batch.values_BC[:, 0].astype(float).tolist(),
            strict=True,
        )
    )


def _results(batch: EventBatch, epoch: int, raw: Any, weight: float) -> Results:
    num, anomaly, is_final = len(batch), raw > 3.0, epoch >= FIRST_FINAL_EPOCH
    return made_results(
        batch,
        epoch=epoch,
        raw=raw,
        threshold=np.full(num, 0.75),
        anomaly=anomaly,
        severity=np.where(anomaly, 1, 0),
        incident_id=["i" if flag else None for flag in anomaly.tolist()],
        incident_state=np.where(anomaly, 1, 0),
        raw_scores={"fake": raw},
        embedding_BD=np.full((num, 2), weight, np.float32),
        space=OPENING.space if is_final else "0/provisional",
        opening=OPENING if is_final else None,
    )
