"""Every registered scorer keeps the contract of `Scorer`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.checkpoint.snapshot import snapshot
from streamssl.config.sections import ScorersConfig, SensorConfig
from streamssl.modalities.sensor.modality import SensorModality
from streamssl.scorers import SCORERS, Scorer, Seen, Sizes
from streamssl.scorers.gaussian import GaussianScorer

CHANNELS, EMBEDDING, LEARNT = 3, 4, 600
MODALITY = SensorModality(num_channels=CHANNELS, config=SensorConfig(window=8), seed=0)
SIZES = Sizes(
    leaky_CH=MODALITY.leaky_CH,
    num_residuals=2 * CHANNELS,
    embedding=EMBEDDING,
    seed=0,
)
MAPS = np.random.default_rng(1)
TO_RESIDUAL = np.concatenate([np.eye(CHANNELS), np.diag(MAPS.uniform(0.5, 2.0, CHANNELS))], 1)
TO_EMBEDDING = MAPS.normal(size=(CHANNELS, EMBEDDING)).astype(np.float32)
GENERATOR = np.random.default_rng(2)

names = pytest.mark.parametrize("name", sorted(SCORERS))


def rows(count: int) -> np.ndarray:
    """Ordinary rows."""
    return GENERATOR.normal(size=(count, CHANNELS)).astype(np.float32)


def seen(core: GaussianScorer, values_BC: np.ndarray) -> Seen:
    """What scorers see of rows of one key."""
    slot_B = np.zeros(len(values_BC), np.int64)
    features, _, _ = MODALITY.read(slot_B, values_BC)
    position_B3 = np.stack([slot_B, np.arange(len(values_BC)), slot_B], axis=1)
    measured = core.core.measure(features)
    return Seen(
        position_B3,
        values_BC,
        measured,
        values_BC @ TO_RESIDUAL.astype(np.float32),
        values_BC @ TO_EMBEDDING,
    )


def trained(name: str) -> tuple[GaussianScorer, Scorer]:
    """The core, and the scorer named, after some epochs of ordinary rows."""
    config = ScorersConfig()
    core = GaussianScorer.build(config, SIZES)
    scorer = core if name == "gaussian" else SCORERS[name].build(config, SIZES)
    for columns in [*MODALITY.per_key(), *core.per_key(), *scorer.per_key()]:
        columns.ensure(1)
    for epoch in range(4):
        epoch_rows = seen(core, rows(LEARNT // 4))
        admitted = core.core.admit(epoch_rows.measured)
        for each in {id(core): core, id(scorer): scorer}.values():
            each.learn(epoch_rows, admitted, np.random.default_rng(epoch))
    return core, scorer


@names
def test_scores_are_finite_and_not_negative(name: str) -> None:
    """No row, however far, gets a score below 0 or none at all."""
    core, scorer = trained(name)
    far = rows(4) * np.array([[0.0], [1.0], [1e3], [1e30]], np.float32)
    score_B = scorer.score(seen(core, far))
    assert score_B.shape == (4,)
    assert np.isfinite(score_B).all()
    assert (score_B >= 0.0).all()


@names
def test_unusual_rows_score_higher(name: str) -> None:
    """Rows far from what was learned score above nearly all ordinary ones."""
    core, scorer = trained(name)
    usual, unusual = rows(200), rows(20) + 12.0
    limit = np.quantile(scorer.score(seen(core, usual)), 0.99)
    assert (scorer.score(seen(core, unusual)) > limit).all()


@names
def test_score_and_contributions_change_nothing(name: str) -> None:
    """Reading leaves the state as it was, bit for bit."""
    core, scorer = trained(name)
    before = snapshot(scorer.state_dict()).arrays
    probe = seen(core, rows(10))
    scorer.score(probe)
    scorer.contributions(probe)
    after = snapshot(scorer.state_dict()).arrays
    assert before.keys() == after.keys()
    for key, value in before.items():
        np.testing.assert_array_equal(value, after[key])


@names
@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 40))
def test_rows_do_not_depend_on_those_beside_them(name: str, cut: int) -> None:
    """Scores of two parts are those of the whole, to the last bit."""
    core, scorer = trained(name)
    whole = seen(core, rows(40))
    parts = [scorer.score(whole.take(slice(0, cut))), scorer.score(whole.take(slice(cut, None)))]
    np.testing.assert_array_equal(np.concatenate(parts), scorer.score(whole))


@names
def test_state_carries_everything(name: str) -> None:
    """A scorer that takes over the state goes on with the same bits."""
    core, scorer = trained(name)
    other = SCORERS[name].build(ScorersConfig(), SIZES)
    for columns in other.per_key():
        columns.ensure(1)
    other.load_state_dict(scorer.state_dict())
    probe = seen(core, rows(30))
    admitted = core.core.admit(probe.measured)
    for each in (scorer, other):
        each.learn(probe, admitted, np.random.default_rng(9))
    again = seen(core, rows(30))
    np.testing.assert_array_equal(scorer.score(again), other.score(again))


@names
def test_contributions_name_the_channel(name: str) -> None:
    """They are not negative, one per channel, and largest for the only faulty one."""
    core, scorer = trained(name)
    faulty = rows(20)
    faulty[:, 1] += 15.0
    contribution_AC = scorer.contributions(seen(core, faulty))
    assert contribution_AC.shape == (20, CHANNELS)
    assert (contribution_AC >= 0.0).all()
    assert (contribution_AC.argmax(1) == 1).mean() > 0.8


@names
def test_an_empty_batch_is_a_batch(name: str) -> None:
    """Nothing in, nothing out, nothing learned that breaks."""
    core, scorer = trained(name)
    empty = seen(core, rows(1)).take(slice(0, 0))
    assert scorer.score(empty).shape == (0,)
    assert scorer.contributions(empty).shape == (0, CHANNELS)
    scorer.learn(empty, core.core.admit(empty.measured), np.random.default_rng(0))
