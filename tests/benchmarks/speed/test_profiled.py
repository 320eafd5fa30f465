"""The profiled daemon leaves what the page shows."""

from __future__ import annotations

import pytest

from benchmarks.speed.bed import Bed
from benchmarks.speed.child import MeasurementError
from benchmarks.speed.journey import profile_daemon
from benchmarks.speed.plan import Plan
from benchmarks.speed.profiled import load_profiles
from streamssl.telemetry.stages import STAGES


def test_every_stage_of_a_real_daemon_is_profiled() -> None:
    """Engine's and learner's alike, each with the functions that took its time."""
    with Bed(Plan(events=4_000)) as bed:
        found = profile_daemon(bed)
        with pytest.raises(MeasurementError, match="left no"):
            load_profiles(bed.folder / "another.yaml")
    own = {name for name in found if "other threads" not in name}
    # The statistics have a thread of their own beside the networks.
    assert set(STAGES) - own <= {"score", "checkpoint"}
    assert {"publish, other threads", "embed, other threads"} <= found.keys()
    assert all(profile.spots and profile.seconds > 0.0 for profile in found.values())
