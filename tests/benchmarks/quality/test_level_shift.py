"""How long a permanent change stays anomalous: the promise behind the quarantine settings."""

from __future__ import annotations

import pytest

from benchmarks.quality.detectors import StreamDetector
from benchmarks.quality.protocol import DetectorTask, run_shift
from benchmarks.quality.synthetic import level_shift

STATISTICS_ONLY = (
    "learn.burst_steps=0",
    "learn.samples_per_event=0",
    "scorers.residual.enabled=false",
)


@pytest.mark.parametrize(
    ("history", "least", "most"), [(600, 400, 900), (3_000, 500, 1_600), (20_000, 3_000, 6_500)]
)
def test_a_permanent_shift_is_accepted_in_time(history: int, least: int, most: int) -> None:
    """Neither at once (a long fault must stay visible) nor never (the new normal must come)."""
    ours = StreamDetector(overrides=STATISTICS_ONLY, columns=("raw",))
    (outcome,) = run_shift(DetectorTask(ours, level_shift(history), seed=0))
    assert outcome.rows_until_accepted is not None
    assert least <= outcome.rows_until_accepted <= most
