"""Cold start: where machines join, what is counted, and that each meets the same learner."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.embeddings.cold_start import (
    ALONE,
    LEADS,
    NEW,
    OURS,
    OURS_SCORE,
    JudgedArrival,
    MatureFleet,
    arrivals,
    cold_start,
)
from benchmarks.quality.embeddings.fleet import as_fleet
from tests.benchmarks.quality.embeddings.fleets import small_series

LIGHT = ("learn.burst_steps=0", "learn.samples_per_event=0", "modality.window=8")


def test_an_anomaly_begins_at_the_lead_and_nothing_labelled_comes_before() -> None:
    """Of two runs 100 rows apart the second has no arrival of more than 60 events."""
    label = np.zeros(3_000, np.int64)
    label[1_000:1_040] = label[1_140:1_160] = 1
    found = arrivals(label, seed=0)
    with_lead = [one for one in found if one.lead is not None]
    assert sorted({one.lead for one in with_lead if one.lead}) == list(LEADS)
    assert sum(one.lead is None for one in found) == 4
    for one in with_lead:
        assert one.lead is not None
        assert not label[one.start : one.start + one.lead].any()
        assert label[one.start + one.lead] == 1
    assert {one.lead for one in with_lead if one.start > 1_000} == {24, 60}


def test_only_rows_before_and_in_the_anomaly_count() -> None:
    """Scores of the first 16 events, and of unlabelled rows after it began, change nothing."""
    label, raw = np.zeros(100, np.int64), np.linspace(0, 1, 100)
    label[60:80] = 1
    raw[:16], raw[80:] = 9.0, 9.0
    judged = JudgedArrival(60, label, raw, raw > 5)
    assert judged.auroc() == 1.0
    assert judged.false_rows(0, 100).sum() == 36
    assert judged.false_rows(16, 80).sum() == 0


def test_each_machine_meets_the_same_learner() -> None:
    """What joins first leaves nothing behind for the next."""
    series = [small_series(f"m{number}") for number in range(3)]
    known = MatureFleet(as_fleet("tiny", series[:2]), LIGHT, seed=0)
    rows = series[2].values_NC[:120]
    first = known.join(rows)
    known.join(rows + 5.0)
    again = known.join(rows)
    np.testing.assert_array_equal(first.raw, again.raw)
    assert set(first.batch.keys.to_pylist()) == {NEW}
    np.testing.assert_array_equal(first.batch.values_BC, rows)


def test_a_plain_anomaly_of_a_new_machine_is_ranked_first() -> None:
    """Rows 8 deviations off: by ours, and by the peer once it has learnt something."""
    series = [small_series(f"m{number}") for number in range(3)]
    found = cold_start(series, 2, seed=0, overrides=LIGHT)
    assert found[OURS]["AUROC at 140"].value > 0.95
    assert found[ALONE]["AUROC at 650"].value > 0.8
    assert found[OURS_SCORE]["AUROC at 140"].value > 0.95
    assert found[OURS]["false rows 50-100"].value <= 0.02
    assert found[OURS]["AUROC at 140"].units == ("m2",)
    assert not any(probe.startswith(("false", "caught")) for probe in found[ALONE])
