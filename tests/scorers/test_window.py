"""Promises of the window scorer: its residual, when it is solved anew, and how it is fused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamssl.checkpoint.snapshot import snapshot
from streamssl.data.events import EventBatch, Float32Array, FloatArray
from streamssl.data.results import Decisions, Results
from streamssl.scorers.window import LEAST_PARTS, MATURE_ROWS
from streamssl.scorers.window_basis import FIRST_ROWS, RANK, SKETCH, WindowBasis
from streamssl.stream import StreamLearner
from tests.stream.streams import batch_of, small_learner

SIZES = (4, 2, 1, 1)
CORE_ONLY: dict[str, Any] = {
    "learner": {"enabled": False},
    "scorers": {"residual": {"enabled": False}, "memory": {"enabled": False}},
    "outputs": {"embeddings": {"enabled": False}},
    "alerts": {"neighbours": 0, "budget": 0.001, "calibration_warmup": 256, "incident_gap": 16},
    "learn": {"every": 256},
}


def new_basis(num_parts: int = 5, seed: int = 0) -> WindowBasis:
    """A basis of windows of eight rows."""
    return WindowBasis(block_sizes=SIZES, num_parts=num_parts, max_features=256, seed=seed)


def waves(num_rows: int, num_channels: int, seed: int = 0) -> FloatArray:
    """Coupled slow waves and some noise, stationary."""
    generator = np.random.default_rng(seed)
    mix = np.random.default_rng(7).normal(size=(3, num_channels))
    time_B1 = np.arange(num_rows)[:, None]
    slow = np.sin(time_B1 / (5.0, 11.0, 23.0) + generator.uniform(0, 6, 3))
    return np.asarray(slow @ mix + generator.normal(size=(num_rows, num_channels)) * 0.2)


def windows(num_rows: int, num_channels: int, seed: int = 0) -> Float32Array:
    """`[rows, 8, channels]` windows of waves."""
    rows = waves(num_rows + 7, num_channels, seed).astype(np.float32)
    return np.stack([rows[i : i + 8] for i in range(num_rows)])


def blocks(windows_BTC: Float32Array) -> Float32Array:
    """Means over the blocks, by NumPy's mean."""
    stops = np.cumsum(SIZES)
    parts = [
        windows_BTC[:, stop - size : stop].mean(1) for stop, size in zip(stops, SIZES, strict=True)
    ]
    return np.stack(parts, axis=1)


def test_the_residual_is_that_of_a_pca_of_all_rows() -> None:
    """Last row and mean of what NumPy's SVD of the centred rows leaves of each window."""
    windows_BTC, basis = windows(400, 5), new_basis()
    blocks_BSC = blocks(windows_BTC)
    basis.learn(blocks_BSC, 400)
    flat_BF = blocks_BSC.reshape(400, -1).astype(np.float64)
    axes_QF = np.linalg.svd(flat_BF - flat_BF.mean(0), full_matrices=False)[2][:RANK]
    left_BSC = (flat_BF - flat_BF @ axes_QF.T @ axes_QF).reshape(400, len(SIZES), 5)
    mean_BC = (left_BSC * np.array(SIZES)[:, None]).sum(1) / sum(SIZES)
    known_BR = np.concatenate([left_BSC[:, -1], mean_BC], axis=1)
    np.testing.assert_allclose(basis.residuals(blocks_BSC), known_BR, atol=2e-3)
    assert np.abs(known_BR).max() > 0.02


def test_the_residual_does_not_turn_with_the_basis() -> None:
    """Other vectors of the same space leave the same: a re-solve's signs and order do not count."""
    basis, other = new_basis(), new_basis()
    blocks_BSC = blocks(windows(400, 5))
    basis.learn(blocks_BSC, 400)
    turn_QQ = np.linalg.qr(np.random.default_rng(0).normal(size=(RANK, RANK)))[0]
    state = basis.state_dict()
    other.load_state_dict(state | {"basis_FQ": (state["basis_FQ"] @ turn_QQ).astype(np.float32)})
    np.testing.assert_allclose(other.residuals(blocks_BSC), basis.residuals(blocks_BSC), atol=1e-5)


def test_it_is_solved_at_doublings_and_at_no_other_time() -> None:
    """At 256 learnt rows, 512, 1,024, ..., however many of them are sampled."""
    basis, solved = new_basis(), []
    blocks_BSC = blocks(windows(2_100, 5))
    for start in range(0, 2_100, 50):
        before_FQ = basis.basis_FQ
        basis.learn(blocks_BSC[start : start + 50 : 4], 50)
        if not np.array_equal(before_FQ, basis.basis_FQ):
            solved.append(start + 50)
    assert solved == [300, 550, 1_050, 2_050]
    assert basis.solved == FIRST_ROWS * 8


def test_of_many_rows_one_in_eight_is_sampled() -> None:
    """Every one of the first 4,096, and one in eight from 32,768 on."""
    basis, shares = new_basis(), []
    for _ in range(3):
        shares.append(basis.sample_share)
        basis.learn(np.zeros((0, 4, 5), np.float32), 8_192)
    basis.learn(np.zeros((0, 4, 5), np.float32), 40_000)
    assert shares == [1.0, 0.5, 0.25]
    assert basis.sample_share == 1.0 / 8.0


def test_wide_streams_have_bounded_sums_and_residuals() -> None:
    """Of a thousand channels nothing has the size of the covariance."""
    basis = new_basis(num_parts=1_000)
    assert basis.sums.product_FG.shape == (4_000, SKETCH)
    assert basis.residuals(np.ones((3, 4, 1_000), np.float32)).shape == (3, 256)


def learner(num_rows: int = 0, *, num_channels: int = 5, **scorers: Any) -> StreamLearner:
    """A learner without networks that has seen so many rows of waves."""
    config = CORE_ONLY | {"scorers": CORE_ONLY["scorers"] | scorers}
    made = small_learner(**config)
    if num_rows:
        made.process(batch_of(waves(num_rows, num_channels), np.zeros(num_rows)))
    return made


def later(num_rows: int, start: int, num_channels: int = 5) -> EventBatch:
    """The rows of waves from `start` on."""
    values = waves(start + num_rows, num_channels)
    whole = batch_of(values, np.zeros(start + num_rows))
    return whole.take(slice(start, None))


def weight_of(results: Results) -> FloatArray:
    """`[B]` the weight w by which ln raw = ln core + w (ln window - ln core)."""
    core, window = results.raw_scores["gaussian"], results.raw_scores["window"]
    apart = np.abs(np.log(window / core)) > 0.1
    weight: FloatArray = np.log(results.raw / core)[apart] / np.log(window / core)[apart]
    return weight


def test_its_weight_is_a_fifth_once_4_000_rows_are_learnt() -> None:
    """The weight is .2 n / 4,000 of n learnt rows, and never more than .2."""
    made = learner(2_000)
    assert made._model is not None
    young = made.score(later(200, 2_000))
    expected = 0.2 * made._model.num_learnt / MATURE_ROWS
    np.testing.assert_allclose(weight_of(young), expected, rtol=1e-9)
    made.process(later(4_500, 2_000))
    assert made._model.num_learnt > MATURE_ROWS
    np.testing.assert_allclose(weight_of(made.score(later(200, 6_500))), 0.2, rtol=1e-9)


@pytest.mark.parametrize("num_channels", [1, LEAST_PARTS - 1])
def test_under_four_channels_it_says_nothing(num_channels: int) -> None:
    """Raw is the core's, and the column is 0."""
    made = small_learner(**CORE_ONLY)
    results = made.process(batch_of(waves(1_500, num_channels), np.zeros(1_500)))
    np.testing.assert_allclose(results.raw, results.raw_scores["gaussian"], rtol=1e-12)
    assert not results.raw_scores["window"].any()


def test_switched_off_it_leaves_no_trace() -> None:
    """No column, no state, no window kept, and raw is the core's."""
    made = learner(window={"enabled": False})
    results = made.process(later(1_500, 0))
    assert set(results.raw_scores) == {"gaussian"}
    np.testing.assert_allclose(results.raw, results.raw_scores["gaussian"], rtol=1e-12)
    assert made._model is not None
    assert made._model.ensemble.window.basis is not None
    assert made._model.ensemble.window.basis.rows == 0


def test_a_new_solution_carries_the_statistics_on() -> None:
    """Over a re-solve the Gaussians stay; ordinary rows score about as before, and raw no jump."""
    made, probe = learner(1_900), later(300, 1_900)
    assert made._model is not None
    scorer = made._model.ensemble.window
    assert scorer.basis is not None
    assert scorer.basis.solved == 1_024
    before, bank = made.score(probe), snapshot(scorer.bank.state_dict()).arrays
    old_FQ = scorer.basis.basis_FQ
    scorer.basis.learn(np.zeros((0, 0, 0), np.float32), 2_048 - scorer.basis.rows)
    assert not np.array_equal(old_FQ, scorer.basis.basis_FQ)
    after = made.score(probe)
    for name, array in snapshot(scorer.bank.state_dict()).arrays.items():
        np.testing.assert_array_equal(array, bank[name])
    moved = np.log(after.raw_scores["window"] / before.raw_scores["window"])
    assert np.median(np.abs(moved)) < 0.15
    assert np.abs(np.log(after.raw / before.raw)).max() < 0.06


def test_the_broken_channel_is_named() -> None:
    """A channel that leaves the common waves has the largest contribution."""
    made, values = learner(4_500), waves(4_800, 5)[4_500:]
    values[50::50, 3] += 4.0
    model = made._model
    assert model is not None
    seen = model.judge(batch_of(values, np.zeros(300)), 99).scored.seen
    shares_AC = model.ensemble.window.contributions(seen)[50::50]
    assert (shares_AC.argmax(1) == 3).all()


def test_a_glitch_has_no_echo_in_what_may_alert() -> None:
    """The windows that hold one bad reading are not held against the rows after it."""
    made, values = learner(4_500), waves(4_540, 5)[4_500:]
    values[10, 2] += 30.0
    model = made._model
    assert model is not None
    scored = model.judge(batch_of(values, np.zeros(40)), 99).scored
    echo, usual = slice(11, 18), scored.raw_B[:10]
    assert np.median(scored.scores_BS[echo, 1]) > 2.0 * usual.max()
    assert scored.evidence_BE[echo, 0].max() < 1.5 * usual.max()


def test_a_state_of_before_it_goes_on_with_the_core() -> None:
    """What was saved without it loads; its weight grows with the rows that it has learnt itself."""
    made = learner(5_000)
    made.close_epoch(Decisions("end"))
    assert made._model is not None
    state = made._model.state_dict()
    del state["ensemble"]["scorers"]["window"]
    made._model.load_state_dict(state)
    fresh = small_learner(**CORE_ONLY)
    fresh.process(later(300, 0))
    fresh.close_epoch(Decisions("end"))
    assert fresh._model is not None
    fresh._model.load_state_dict(state)
    results = fresh.score(later(100, 5_000))
    np.testing.assert_allclose(results.raw, results.raw_scores["gaussian"], rtol=1e-12)
    fresh.process(later(1_500, 5_000))
    weight = weight_of(fresh.score(later(100, 6_500)))
    assert len(weight)
    assert (weight < 0.1).all()


def test_keys_share_directions_in_units_of_their_own() -> None:
    """Keys whose channels differ by scale and level only are about equally ordinary."""
    rows, key = waves(6_000, 5), np.arange(6_000) % 4
    scale = np.array([1.0, 2.0, 0.5, 3.0])[key, None]
    batch = batch_of((rows + 2.0) * scale, key)
    results = learner().process(batch)
    late = slice(5_000, None)
    medians = [np.median(results.raw_scores["window"][late][key[late] == k]) for k in range(4)]
    assert max(medians) < 1.5 * min(medians)
