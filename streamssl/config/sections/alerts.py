"""Which anomalies become alerts."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field, field_validator

from streamssl.config.budget import parse_budget
from streamssl.config.sections.base import Broken, Count, Section


class AlertsConfig(Section):
    """From scores to incidents."""

    budget: float | str = Field(
        0.001,
        description="Incidents allowed: as a share of a key's events, or of all keys as `20/day`.",
    )
    calibration_memory: Count = Field(
        20_000, description="Scores of a key that calibration remembers."
    )
    calibration_warmup: Count = Field(256, description="Scores of a fitted key before alerts.")
    incident_gap: Count = Field(32, description="Normal events of the key that end an incident.")
    neighbours: int = Field(
        3, ge=0, le=100, description="Nearest past events per anomaly, and incidents per incident."
    )
    incidents_kept: int = Field(
        1_000, ge=0, le=100_000, description="Finished incidents to find the nearest among."
    )

    @field_validator("budget")
    @classmethod
    def _check_budget(cls, value: float | str) -> float | str:
        budget = parse_budget(value)
        return str(budget) if budget.share is None else budget.share

    def broken_rules(self) -> Iterator[Broken]:
        """Calibration cannot wait for more scores than it remembers."""
        if self.calibration_warmup > self.calibration_memory:
            yield (
                "calibration_warmup",
                f"{self.calibration_warmup} must not exceed alerts.calibration_memory "
                f"({self.calibration_memory})",
            )
