"""What is anomalous: the scorers, and what they share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from streamssl.config.sections.base import Broken, Count, Ratio, Section, Weight


class GateConfig(Section):
    """Which events the slow statistics learn: the ordinary ones, with a capped quarantine."""

    quantile: Ratio = Field(
        0.85, description="Quantile of the key's score up to which an event is learnt."
    )
    quarantine_min: Count = Field(500, description="Least events before a shift is accepted.")
    quarantine_share: Weight = Field(0.2, description="Events per event of history until then.")
    quarantine_max: Count = Field(3_000, description="Most events before a shift is accepted.")

    def broken_rules(self) -> Iterator[Broken]:
        """The least quarantine is no longer than the longest."""
        if self.quarantine_min > self.quarantine_max:
            yield (
                "quarantine_min",
                f"{self.quarantine_min} must not exceed scorers.gate.quarantine_max "
                f"({self.quarantine_max})",
            )


class ScorerConfig(Section):
    """One scorer: whether it is computed, and how much it counts."""

    needs_networks: ClassVar[bool] = True
    grows: ClassVar[bool] = False  # its weight is less while a key is young, or 0

    enabled: bool = Field(True, description="False: not computed.")
    weight: Weight = Field(0.0, description="Weight in the fused score.")


class CoreConfig(ScorerConfig):
    """The modality's own scorer, without networks; the modality's page describes it."""

    needs_networks = False

    enabled: bool = Field(True, description="False: not fused; it still gates what is learnt.")
    weight: Weight = Field(1.0, description="Weight in the fused score.")


class WindowConfig(ScorerConfig):
    """Gated Mahalanobis distance of what the usual shapes leave of a window, from 4 parts on."""

    needs_networks = False
    grows = True

    weight: Weight = Field(
        0.25,
        description="Weight in the fused score, once a key has learnt 4,000 rows; less before.",
    )


class ResidualConfig(ScorerConfig):
    """Gated Mahalanobis distance of the networks' residual vector."""


class MemoryConfig(ScorerConfig):
    """Distance to the nearest remembered embeddings of the teacher."""

    enabled: bool = Field(False, description="False: not computed.")
    capacity: int = Field(1_024, ge=16, description="Embeddings remembered.")
    neighbours: Count = Field(5, description="Distances averaged.")


class ScorersConfig(Section):
    """What is anomalous, and how the scorers are fused (weighted mean of log scores)."""

    own_keys: Count = Field(64, description="Keys with covariances of their own.")
    max_features: int = Field(
        256, ge=8, le=1024, description="Longest vector of a covariance; above a seeded projection."
    )
    gate: GateConfig = GateConfig()
    core: CoreConfig = CoreConfig()
    window: WindowConfig = WindowConfig()
    residual: ResidualConfig = ResidualConfig()
    memory: MemoryConfig = MemoryConfig()

    def enabled(self) -> dict[str, ScorerConfig]:
        """The scorers that are switched on, by name."""
        scorers = {name: value for name, value in self if isinstance(value, ScorerConfig)}
        return {name: scorer for name, scorer in scorers.items() if scorer.enabled}

    def broken_rules(self) -> Iterator[Broken]:
        """At least one scorer that is enabled has a weight above 0 from the first row."""
        scorers = self.enabled().values()
        if not any(scorer.weight > 0 and not scorer.grows for scorer in scorers):
            yield (
                "",
                "no scorer is enabled with a weight above 0 (scorers.window does not count: its "
                "weight only grows with a key's rows), so nothing can be scored; enable "
                "scorers.core or another one",
            )
