"""Attribution names the faulty channel, and the shares are shares."""

from __future__ import annotations

import numpy as np
import pytest

from streamssl.scorers.attribution import block_contributions, channels_of_units
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
    """v_j' (P_jj)^-1 v_j, solved event by event; bits do not depend on the events beside."""
    whiten_FF = np.triu(GENERATOR.normal(size=(6, 6)) + 3.0 * np.eye(6)).astype(np.float32)
    pull_AF = GENERATOR.normal(size=(9, 6)).astype(np.float32)
    found_AC = block_contributions(pull_AF, whiten_FF, 2)
    precision_FF = whiten_FF.astype(np.float64) @ whiten_FF.T.astype(np.float64)
    for row, pull_F in enumerate(pull_AF):
        for channel in range(2):
            own = slice(channel, None, 2)
            solved = np.linalg.solve(precision_FF[own, own], pull_F[own])
            np.testing.assert_allclose(found_AC[row, channel], pull_F[own] @ solved, rtol=1e-5)
    alone = block_contributions(pull_AF[4:5], whiten_FF, 2)
    np.testing.assert_array_equal(found_AC[4:5], alone)


def test_what_leaky_units_explain_is_shared_out_by_their_inputs() -> None:
    """Each unit's contribution goes to the channels by |z W|, nothing is lost; bits stay."""
    z_AC, weight_CH = GENERATOR.normal(size=(40, 3)), GENERATOR.normal(size=(3, 4))
    contribution_AH = GENERATOR.uniform(size=(40, 4))
    found_AC = channels_of_units(contribution_AH, z_AC, weight_CH)
    np.testing.assert_allclose(found_AC.sum(1), contribution_AH.sum(1))
    share_CH = np.abs(z_AC[7, :, None] * weight_CH)
    np.testing.assert_allclose(found_AC[7], (share_CH / share_CH.sum(0)) @ contribution_AH[7])
    alone = channels_of_units(contribution_AH[7:8], z_AC[7:8], weight_CH)
    np.testing.assert_array_equal(found_AC[7:8], alone)
