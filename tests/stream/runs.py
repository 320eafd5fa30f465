"""Whole runs of a learner, and whether two of them are the same to the last bit."""

from __future__ import annotations

import numpy as np

from streamssl.data.events import EventBatch
from streamssl.data.results import Decisions, Results
from streamssl.stream import StreamLearner

COLUMNS = ("raw", "p_value", "score", "anomaly", "top_field", "embedding_BD", "warming")


def assert_same(one: Results, other: Results) -> None:
    """Equal to the last bit."""
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name, column in one.raw_scores.items():
        np.testing.assert_array_equal(column, other.raw_scores[name], err_msg=name)
    assert one.incident_id == other.incident_id
    assert one.told_incidents() == other.told_incidents()
    mine, others = one.explanation, other.explanation
    np.testing.assert_array_equal(mine.attribution_AP, others.attribution_AP)
    np.testing.assert_array_equal(mine.expected.numbers_AN, others.expected.numbers_AN)
    assert mine.actual.texts == others.actual.texts


def run_cut(learner: StreamLearner, batch: EventBatch, cuts: list[int]) -> Results:
    """Advance a batch in pieces of the given sizes, closing epochs by count alone."""
    done, parts, turn = 0, [], 0
    while done < len(batch):
        room = learner.target() - learner.num_open_events
        size = min(cuts[turn % len(cuts)], room)
        parts.append(learner.advance(batch.take(slice(done, done + size))))
        done, turn = done + size, turn + 1
        if learner.num_open_events >= learner.target():
            learner.close_epoch(Decisions("count"))
    return Results.concat(parts)
