"""The alert budget in incidents a day, and severity."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.alerts.budget import AlertBudget, severity
from streamssl.data.results import SEVERITIES


def test_a_share_is_the_threshold() -> None:
    """A budget as a share of events needs no history."""
    assert AlertBudget(share=0.02).threshold() == 0.02


def test_incidents_a_day_become_a_share_of_events() -> None:
    """N incidents of k anomalies each, over a day's events; nothing before time has passed."""
    budget = AlertBudget(share=None, per_day=24.0)
    assert budget.threshold() == 0.0
    anomaly_B = np.zeros(3_600, np.bool_)
    anomaly_B[:10] = True
    for _ in range(300):  # One event a second, two incidents of five anomalies an hour.
        budget.learn(3_600.0, anomaly_B, 2)
    assert budget.threshold() == pytest.approx(24.0 * 5.0 / 86_400.0)
    assert budget.rate() == pytest.approx(10.0 / 3_600.0)


def test_a_budget_never_allows_more_than_everything() -> None:
    """Few events and many incidents allowed: every event may be one."""
    budget = AlertBudget(share=None, per_day=1e6)
    budget.learn(60.0, np.zeros(10, np.bool_), 0)
    assert budget.threshold() == 1.0


def test_severity_rises_a_step_with_each_factor_of_ten() -> None:
    """Under the threshold, under a tenth of it, a hundredth, a thousandth; none if ordinary."""
    p_B = np.array([0.5, 1e-3, 2e-4, 1e-4, 1e-5, 1e-6, 1e-9])
    level = severity(p_B, p_B <= 1e-3, 1e-3)
    assert level.tolist() == [0, 1, 1, 2, 3, 4, 4]
    assert max(level) == len(SEVERITIES) - 1
