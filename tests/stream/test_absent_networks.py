"""Without networks the statistics score as they do beside them, and nothing else is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamssl.checkpoint import CheckpointError
from streamssl.data.results import Decisions
from tests.stream.streams import small_learner, stream

ABSENT: dict[str, Any] = {
    "learner": {"enabled": False},
    "scorers": {"residual": {"enabled": False}, "memory": {"enabled": False}},
    "outputs": {"embeddings": {"enabled": False}},
    "alerts": {"neighbours": 0, "budget": 0.05},
}
BATCH = stream(1_500, num_channels=4)


def test_scores_are_those_of_the_statistics() -> None:
    """Raw scores, p-values and explanations equal those beside networks that are not fused."""
    alone, beside = small_learner(**ABSENT), small_learner(alerts=ABSENT["alerts"])
    one, other = alone.process(BATCH), beside.process(BATCH)
    for name in ("raw", "p_value", "anomaly", "top_field"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    np.testing.assert_array_equal(one.explanation.attribution_AP, other.explanation.attribution_AP)
    np.testing.assert_array_equal(
        one.explanation.expected.numbers_AN, other.explanation.expected.numbers_AN
    )
    assert one.anomaly.any()
    assert one.embedding_BD.shape == (len(BATCH), 0)
    assert one.space.endswith("/none")
    assert one.opening is None
    assert set(one.raw_scores) == {"gaussian", "window"}


def test_nothing_is_trained_or_thinned() -> None:
    """The report speaks of statistics only."""
    learner = small_learner(**ABSENT)
    learner.advance(BATCH)
    report = learner.close_epoch(Decisions("end"))
    assert report.num_learnt > 0
    assert (report.num_steps, report.num_trained, report.num_thinned) == (0, 0, 0)
    assert (report.replay_records, report.replay_bytes) == (0, 0)
    assert learner.weights_digest() == 0


def test_it_goes_on_from_what_was_saved(tmp_path: Path) -> None:
    """A state without networks is whole, and does not pass for one with them."""
    learner = small_learner(**ABSENT)
    learner.learn(BATCH)
    learner.save(tmp_path / "state")
    again = small_learner(**ABSENT)
    again.load(tmp_path / "state")
    np.testing.assert_array_equal(again.process(BATCH).raw, learner.process(BATCH).raw)
    with pytest.raises(CheckpointError, match="does not fit this configuration"):
        small_learner().load(tmp_path / "state")
