"""The sensor modality: numeric rows to features and network inputs.

B = events, T = steps, C = channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch

from streamssl.arithmetic.acceptance import ACCEPTANCE, Acceptance
from streamssl.config.root import Config
from streamssl.config.sections import LearnerConfig, SensorConfig
from streamssl.data.events import (
    BoolArray,
    EventBatch,
    Float32Array,
    FloatArray,
    IntArray,
    Schema,
)
from streamssl.data.inputs import Inputs, InputSpec
from streamssl.data.keys import KeyColumns
from streamssl.data.results import Values
from streamssl.modalities.base import Modality, Reading
from streamssl.modalities.sensor.backbones import BACKBONES
from streamssl.modalities.sensor.context import Advance, History, SensorContext
from streamssl.modalities.sensor.core import SensorCore
from streamssl.modalities.sensor.encoder import block_means, block_sizes
from streamssl.modalities.sensor.features import SensorMeasured
from streamssl.modalities.sensor.network import SensorNetwork
from streamssl.modalities.sensor.newcomers import Newcomers
from streamssl.modalities.sensor.normaliser import Normaliser
from streamssl.modalities.sensor.origins import Origins, OriginsOfBatch
from streamssl.modalities.sensor.stem import SensorStem
from streamssl.modalities.sensor.vectors import num_recent
from streamssl.modalities.sensor.windows import SensorWindows


class SensorModality(Modality[SensorMeasured]):
    """Context, normaliser, core and network inputs of numeric channels.

    Args:
        fields: Names of the channels.
        section: The modality's section.
        seed: Seed of the leaky units and projections.
        max_features: Longest feature vector of the core.
        acceptance: Rows after which another level is one of a key's.
        backbone: Of the networks.
        stem: Whether there are closed-form slices.
    """

    network_type = SensorNetwork

    def __init__(
        self,
        *,
        fields: tuple[str, ...],
        section: SensorConfig,
        seed: int,
        max_features: int = 256,
        acceptance: Acceptance = ACCEPTANCE,
        backbone: str = "summary",
        stem: bool = True,
    ) -> None:
        num_channels = len(fields)
        self.sizes = BACKBONES[backbone].blocks(section.window, num_channels)
        self.parts, self.window = fields, section.window
        self._next_step = section.next_step_residual
        self.block_sizes = tuple(block_sizes(section.window, num_channels))
        self.num_residuals = (3 if section.next_step_residual else 2) * num_channels
        self.spec = InputSpec(
            {"window": ((section.window, num_channels), np.float32)},
            width=num_channels,
            steps=section.window,
        )
        steps = max(section.window, num_recent(num_channels))
        self.normaliser = Normaliser(num_channels=num_channels)
        self.context = SensorContext(
            num_channels=num_channels, steps=steps, recent=num_recent(num_channels), seed=seed
        )
        if stem:
            self.stem = SensorStem(num_channels=num_channels, window=section.window, seed=seed)
        self.core = SensorCore(
            num_channels=num_channels,
            context=self.context,
            acceptance=acceptance,
            max_features=max_features,
            seed=seed,
        )

    @classmethod
    def build(cls, config: Config, schema: Schema) -> Self:
        """A modality of these channels that has seen nothing."""
        section = config.modality
        assert isinstance(section, SensorConfig)
        gate = config.scorers.gate
        return cls(
            fields=schema.fields,
            section=section,
            seed=config.app.seed,
            max_features=config.scorers.max_features,
            acceptance=Acceptance(gate.quarantine_min, gate.quarantine_share, gate.quarantine_max),
            backbone=config.learner.backbone,
            stem=config.learner.stem and config.learner.enabled,
        )

    def read(self, slot_B: IntArray, batch: EventBatch) -> Reading:
        """Events in their context; changes nothing."""
        values_BC, origins = self.context.origins.read(slot_B, batch.values_BC)
        features, history, advance = self.context.read(slot_B, values_BC, self.normaliser, origins)
        return Reading(features, history, (advance, origins))

    def inputs(self, rows: History) -> SensorWindows:
        """The last rows of each event's key, standardised."""
        return SensorWindows(
            rows.standardised,
            rows.place_B,
            self.window,
            next_step=self._next_step,
            sizes=self.sizes,
        )

    def blocks(self, inputs: Inputs) -> Float32Array:
        """`[N, S, C]` summaries of windows."""
        window_NTC = torch.from_numpy(inputs["window"])
        summary_NSC: Float32Array = block_means(window_NTC, [*self.block_sizes]).numpy()
        return summary_NSC

    def network(self, config: LearnerConfig) -> SensorNetwork:
        """A student of windows."""
        return SensorNetwork(
            num_channels=len(self.parts),
            window=self.window,
            config=config,
            next_step=self._next_step,
        )

    def expected(self, measured: SensorMeasured) -> Values:
        """The channels' newest values that the lagged distance's Gaussian predicts."""
        return Values(self.parts, self.core.expected(measured), _no_texts(len(measured.slot_B)))

    def expected_spread(self, measured: SensorMeasured) -> FloatArray:
        """`[A, C]` standard deviation of the newest values, in view of all else."""
        return self.core.expected_spread(measured)

    def actual(self, batch: EventBatch) -> Values:
        """The channels' values as they came."""
        return Values(self.parts, batch.values_BC.astype(np.float64), _no_texts(len(batch)))

    def write(self, advance: tuple[Advance, OriginsOfBatch]) -> None:
        """Move context and origins on."""
        context, origins = advance
        self.context.write(context)
        self.context.origins.write(origins)

    def ages(self, slots: IntArray) -> IntArray:
        """`[K]` events that the context of each key has seen."""
        return self.context.columns["age"][slots]

    def learn(self, measured: SensorMeasured, learn_B: BoolArray) -> None:
        """Move the running statistics on by an epoch's rows that the gate let through."""
        origins = self.context.origins.of
        self.normaliser.learn(measured.slot_B[learn_B], measured.newest_BC[learn_B], origins)
        self.context.newcomers.learn(self.normaliser, self.context.origins)

    def per_key(self) -> list[KeyColumns]:
        """The columns of statistics and context; the core lists its own."""
        context = self.context
        layers = (self.normaliser, context, context.origins, context.newcomers)
        return [layer.columns for layer in layers]

    def state_dict(self) -> dict[str, Any]:
        """The normaliser's statistics and every key's context and origins."""
        return {name: part.state_dict() for name, part in self._stateful().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over statistics and contexts, of the same channels and window."""
        for name, part in self._stateful().items():
            if name in state:  # A state of before newcomers has none.
                part.load_state_dict(state[name])
        self.context.newcomers.columns.ensure(self.context.columns.num_slots)

    def _stateful(self) -> dict[str, Normaliser | SensorContext | Origins | Newcomers]:
        context = self.context
        return {
            "normaliser": self.normaliser,
            "context": context,
            "origins": context.origins,
            "newcomers": context.newcomers,
        }


def _no_texts(num_events: int) -> list[dict[str, str | None]]:
    return [{} for _ in range(num_events)]
