"""The toy modality: context per key, statistics per epoch, and everything made of them.

B = events, C = numbers, K = texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamssl.config.root import Config
from streamssl.config.sections import LearnerConfig
from streamssl.data.events import BoolArray, EventBatch, FloatArray, IntArray, Schema
from streamssl.data.keys import KeyColumns, Runs
from streamssl.data.results import Values
from streamssl.modalities import Modality, Reading
from tests.toy.core import ToyCore
from tests.toy.features import NUM_CODES, ToyContext, ToyMeasured, codes_of
from tests.toy.network import ToyInputs, ToyNetwork, spec_of

MEMORY = 2_000.0


class ToyModality(Modality[ToyMeasured]):
    """Numbers by their key and by the second entity, texts by their frequency.

    Args:
        schema: Two numbers, a category, and last the second entity.
    """

    network_type = ToyNetwork

    def __init__(self, *, schema: Schema) -> None:
        num_numbers, num_texts = len(schema.fields), len(schema.texts)
        self.schema, self.parts = schema, (*schema.fields, *schema.texts)
        self.num_residuals = len(self.parts)
        self.spec = spec_of(num_numbers, num_texts)
        self.core = ToyCore(num_texts=num_texts)
        self.context = KeyColumns(age=((), np.int64, 0))
        row = (num_numbers,)
        statistics = {
            "count": (row, np.float64, 0.0),
            "mean": (row, np.float64, 0.0),
            "var": (row, np.float64, 0.0),
        }
        self.statistics = KeyColumns(**statistics)
        self.entities = KeyColumns(**statistics)  # by the entity's code: bounded, whoever comes
        self.entities.ensure(NUM_CODES)

    @classmethod
    def build(cls, config: Config, schema: Schema) -> Self:  # noqa: ARG003 - the interface's
        """A modality of these columns that has seen nothing."""
        return cls(schema=schema)

    def read(self, slot_B: IntArray, batch: EventBatch) -> Reading:
        """Events in their context; changes nothing."""
        runs, codes_BK = Runs(slot_B), codes_of(batch.texts)
        mean_BC, scale_BC = self._expectation(slot_B, codes_BK[:, -1])
        context = ToyContext(
            slot_B,
            self.context["age"][slot_B] + runs.rank,
            batch.values_BC.astype(np.float64),
            mean_BC,
            scale_BC,
            codes_BK,
        )
        return Reading(context, context, runs)

    def _expectation(self, slot_B: IntArray, entity_B: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and deviation of the key's numbers, or of the entity's while the key is young."""
        young_B1 = self.statistics["count"][slot_B].min(1, keepdims=True) < 8
        own, others = self.statistics, self.entities
        count_BC, mean_BC, var_BC = (
            np.where(young_B1, others[name][entity_B], own[name][slot_B])
            for name in ("count", "mean", "var")
        )
        # Of what is not known yet nothing is odd.
        return mean_BC, np.where(count_BC >= 2, np.sqrt(np.maximum(var_BC, 1e-6)), np.inf)

    def inputs(self, rows: ToyContext) -> ToyInputs:
        """Standardised numbers and codes."""
        return ToyInputs(rows.standardised(), rows.codes_BK)

    def network(self, config: LearnerConfig) -> ToyNetwork:
        """A student of these columns."""
        return ToyNetwork(
            num_numbers=len(self.schema.fields), num_texts=len(self.schema.texts), config=config
        )

    def expected(self, measured: ToyMeasured) -> Values:
        """The mean that each number was compared with; of a text nothing is expected."""
        unknown = dict.fromkeys(self.schema.texts)
        return Values(self.schema.fields, measured.mean_BC, [unknown] * len(measured.slot_B))

    def actual(self, batch: EventBatch) -> Values:
        """Numbers and texts as they came."""
        assert batch.texts is not None
        values_BC = batch.values_BC.astype(np.float64)
        return Values(self.schema.fields, values_BC, batch.texts.to_pylist())

    def write(self, advance: Runs) -> None:
        """Move the keys' ages on."""
        self.context["age"][advance.slots] += advance.counts

    def ages(self, slots: IntArray) -> IntArray:
        """`[K]` events that the context of each key has seen."""
        return self.context["age"][slots]

    def learn(self, measured: ToyMeasured, learn_B: BoolArray) -> None:
        """Move means and variances on, of the keys and of the second entities."""
        entity_B = measured.codes_BK[:, -1]
        for columns, slot_B in ((self.statistics, measured.slot_B), (self.entities, entity_B)):
            for slot, x_C in zip(slot_B[learn_B], measured.values_BC[learn_B], strict=True):
                _move(columns, int(slot), x_C)

    def per_key(self) -> list[KeyColumns]:
        """Ages and statistics; the entities' are bounded by their codes."""
        return [self.context, self.statistics]

    def state_dict(self) -> dict[str, Any]:
        """Ages and statistics."""
        return {name: getattr(self, name).state_dict() for name in STATE}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        for name in STATE:
            getattr(self, name).load_state_dict(state[name])


STATE = ("context", "statistics", "entities")


def _move(columns: KeyColumns, slot: int, x_C: FloatArray) -> None:
    """M <- m + r d, v <- (1 - r)(v + r d^2) with d = x - m and r = max(1 / n, 1 / 2,000)."""
    seen_C = np.isfinite(x_C) & (np.abs(x_C) < 1e30)
    count, mean, var = (columns[name][slot] for name in ("count", "mean", "var"))
    count += seen_C
    rate = np.maximum(1.0 / np.maximum(count, 1.0), 1.0 / MEMORY) * seen_C
    gap = np.where(seen_C, x_C, mean) - mean
    var[:] = (1.0 - rate) * (var + rate * gap * gap)
    mean += rate * gap
