"""Attribution names the faulty channel, and the shares are shares."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.scorers.attribution import block_contributions
from tests.stream.streams import batch_of, small_learner

GENERATOR = np.random.default_rng(11)


@pytest.mark.parametrize("own_keys", [1, 8], ids=["shared", "own"])
def test_the_faulty_channel_is_on_top(own_keys: int) -> None:
    """A jump of one channel is attributed to it, in both tiers, although others are coupled."""
    rows, keys = 1_600, 4
    base = np.cumsum(GENERATOR.normal(size=(rows, 1)), axis=0) * 0.02
    values = base + GENERATOR.normal(size=(rows, 5)) * 0.3
    values[-8:, 2] += 8.0
    learner = small_learner(scorers={"own_keys": own_keys})
    results = learner.process(batch_of(values, np.arange(rows) % keys))
    found = results.explained[results.explained >= rows - 8]
    assert len(found) >= 6
    assert (results.top_field[found] == 2).all()
    np.testing.assert_allclose(results.explanation.attribution_AP.sum(1), 1.0)
    assert (results.explanation.attribution_AP >= 0).all()
    expected = results.explanation.expected.numbers_AN[results.explained >= rows - 8, 2]
    np.testing.assert_allclose(expected, values[found, 2] - 8.0, atol=3.0)


@pytest.mark.parametrize("num_channels", [5, 140], ids=["plain", "projected"])
@pytest.mark.parametrize("fused", ["residual", "memory"])
def test_every_fused_scorer_has_a_say(fused: str, num_channels: int) -> None:
    """With another scorer fused the shares still sum to 1 and the faulty channel is on top."""
    rows = 900
    values = GENERATOR.normal(size=(rows, num_channels))
    values[-6:, 2] += 60.0
    section = {"enabled": True, "weight": 0.3}
    learner = small_learner(scorers={fused: section})
    results = learner.process(batch_of(values, np.zeros(rows)))
    found = results.explained >= rows - 6
    assert found.any()
    np.testing.assert_allclose(results.explanation.attribution_AP.sum(1), 1.0)
    assert (results.explanation.attribution_AP[found].argmax(1) == 2).all()


def test_a_channel_takes_what_its_features_explain() -> None:
    """g_j' (P_jj)^-1 g_j, solved event by event; bits do not depend on the other events."""
    whiten_FF = np.triu(GENERATOR.normal(size=(6, 6)) + 3.0 * np.eye(6)).astype(np.float32)
    gradient_AF = GENERATOR.normal(size=(9, 6)).astype(np.float32)
    found_AC = block_contributions(gradient_AF, whiten_FF, 2)
    precision_FF = whiten_FF.astype(np.float64) @ whiten_FF.T.astype(np.float64)
    for row, gradient_F in enumerate(gradient_AF):
        for channel in range(2):
            own = slice(channel, None, 2)
            solved = np.linalg.solve(precision_FF[own, own], gradient_F[own])
            np.testing.assert_allclose(found_AC[row, channel], gradient_F[own] @ solved, rtol=1e-5)
    alone = block_contributions(gradient_AF[4:5], whiten_FF, 2)
    np.testing.assert_array_equal(found_AC[4:5], alone)
