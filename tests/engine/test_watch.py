"""What the engine tells the world."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from streamssl.telemetry import Metrics
from tests.engine.world import World


@pytest.mark.parametrize(("budget", "target"), [(0.01, 0.01), ("20/day", math.nan)])
def test_the_alert_budget_is_exported_where_it_is_a_share(
    tmp_path: Path, budget: float | str, target: float
) -> None:
    """A rule may hold the alert rate against the budget; incidents a day compare with nothing."""
    metrics = Metrics()
    World(tmp_path, alerts={"budget": budget}).engine(metrics=metrics)
    found = metrics.registry.get_sample_value("streamssl_alert_rate_target_ratio")
    assert found == pytest.approx(target, nan_ok=True)
