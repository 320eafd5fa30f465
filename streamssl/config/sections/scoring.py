"""What is anomalous, and which anomalies become alerts."""

from __future__ import annotations

from pydantic import Field, field_validator

from streamssl.config.budget import parse_budget
from streamssl.config.sections.base import Count, Ratio, Section, Weight


class GaussianConfig(Section):
    """Gated Mahalanobis distances: slow teacher and fast student of statistics."""

    enabled: bool = Field(True, description="False: not fused; it still gates what is learnt.")
    weight: Weight = Field(1.0, description="Weight in the fused score.")
    own_keys: Count = Field(64, description="Keys with covariances of their own.")
    max_features: int = Field(256, ge=8, le=1024, description="Above it a seeded projection.")
    gate: Ratio = Field(0.85, description="Quantile of the score up to which a row is learnt.")
    quarantine_min: Count = Field(500, description="Least events before a shift is accepted.")
    quarantine_share: Weight = Field(0.2, description="Events per event of history until then.")
    quarantine_max: Count = Field(3_000, description="Most events before a shift is accepted.")


class ResidualConfig(Section):
    """Gated Mahalanobis distance of the networks' residual vector."""

    enabled: bool = Field(True, description="False: not computed.")
    next_step: bool = Field(
        False, description="Whether the residual of the next-step prediction is in the vector."
    )
    weight: Weight = Field(0.0, description="Weight in the fused score.")


class MemoryConfig(Section):
    """Distance to the nearest remembered embeddings of the teacher."""

    enabled: bool = Field(False, description="False: not computed.")
    weight: Weight = Field(0.0, description="Weight in the fused score.")
    capacity: int = Field(1_024, ge=16, description="Embeddings remembered.")
    neighbours: Count = Field(5, description="Distances averaged.")


class ScorersConfig(Section):
    """What is anomalous, and how the scorers are fused (weighted mean of log scores)."""

    gaussian: GaussianConfig = GaussianConfig()
    residual: ResidualConfig = ResidualConfig()
    memory: MemoryConfig = MemoryConfig()


class AlertsConfig(Section):
    """From scores to incidents."""

    budget: float | str = Field(
        0.001, description="Alerts allowed: a share of events, or incidents as `20/day`."
    )
    calibration_memory: Count = Field(
        2_000, description="Scores that calibration remembers: a past fault hides the next so long."
    )
    calibration_warmup: Count = Field(256, description="Scores of a fitted key before alerts.")
    incident_gap: Count = Field(32, description="Normal events of the key that end an incident.")
    neighbours: int = Field(3, ge=0, le=100, description="Nearest past events per anomaly.")

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, value: float | str) -> float | str:
        budget = parse_budget(value)
        return str(budget) if budget.share is None else budget.share
