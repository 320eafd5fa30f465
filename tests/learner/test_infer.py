"""Promises of the learner's reading verb."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.config.sections import LearnerConfig
from streamssl.data.events import Float32Array
from streamssl.learner import Learner
from streamssl.learner.tiles import TILE
from streamssl.modalities.sensor.network import SensorNetwork
from streamssl.modalities.sensor.views import past
from tests.learner.streams import LEARNER, NUM_CHANNELS, Held, close_epoch, make_learner, windows

NUM_WINDOWS = TILE + 40
cuts = st.lists(st.integers(0, NUM_WINDOWS), max_size=6).map(sorted)


# Channels and window: products and slices that end beside the width of a processor's vectors too.
SHAPES = ((1, 32), (3, 32), (5, 50), (7, 32), (38, 32), (70, 8))


def wide(num_channels: int, window: int) -> tuple[Learner, Float32Array]:
    generator = np.random.default_rng(0)
    x_BTC = generator.normal(size=(NUM_WINDOWS, window, num_channels)).astype(np.float32)
    shape = (num_channels, window)
    return make_learner(learner=LearnerConfig(), shape=shape, next_step=True), x_BTC


CASES = {shape: wide(*shape) for shape in SHAPES}


@settings(max_examples=25, deadline=None)
@given(cut=cuts, shape=st.sampled_from(SHAPES))
def test_bits_do_not_depend_on_the_cut(cut: list[int], shape: tuple[int, int]) -> None:
    """However windows are cut into calls, each gets the same bits."""
    learner, x_BTC = CASES[shape]
    whole = learner.infer(Held(x_BTC))
    pieces = [learner.infer(Held(piece)) for piece in np.split(x_BTC, cut)]
    for column in range(2):
        assert np.array_equal(np.concatenate([p[column] for p in pieces]), whole[column])


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(TILE + 3)), shape=st.sampled_from(SHAPES))
def test_bits_do_not_depend_on_the_neighbours(order: list[int], shape: tuple[int, int]) -> None:
    """Beside whichever windows of a tile, and wherever among them, its bits are the same."""
    check_order(shape, order)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("shift", [1, 2, 5, TILE // 2])
def test_bits_do_not_depend_on_the_place(shape: tuple[int, int], shift: int) -> None:
    """A window's bits are the same at a place that lies in memory in any other way."""
    check_order(shape, np.roll(np.arange(TILE + 3), shift).tolist())


def check_order(shape: tuple[int, int], order: list[int]) -> None:
    """Windows in another order give the same rows in that order."""
    learner, x_BTC = CASES[shape]
    straight = learner.infer(Held(x_BTC[: TILE + 3]))
    moved = learner.infer(Held(x_BTC[order]))
    assert np.array_equal(moved.embedding_BD, straight.embedding_BD[order])
    assert np.array_equal(moved.residual_BR, straight.residual_BR[order])


@pytest.mark.parametrize("num_windows", [0, 1, TILE, TILE + 1])
def test_shapes(num_windows: int) -> None:
    """Any number of windows, none included, gives as many float32 rows."""
    inference = make_learner().infer(Held(windows(num_windows)[0]))
    assert inference.embedding_BD.shape == (num_windows, LEARNER.embedding)
    assert inference.residual_BR.shape == (num_windows, 2 * NUM_CHANNELS)
    assert inference.embedding_BD.dtype == inference.residual_BR.dtype == np.float32


def test_residuals_are_actual_minus_expected() -> None:
    """The folded read-out equals the full predictor and decoder of the teacher."""
    learner, (x_BTC, _) = make_learner(next_step=True), windows(20)
    network, window = learner._trainer.teacher, torch.from_numpy(x_BTC)
    assert isinstance(network, SensorNetwork)
    with torch.no_grad():
        embedding = network.encode({"window": window})
        decoded = network.decode(embedding)
        next_row = network.predict(network.encode({"window": past(window)}))
        mean = torch.einsum("s,bsc->bc", network.encoder.share_S, decoded)
    last = window[:, -1]
    expected = torch.cat([last - decoded[:, -1], window.mean(1) - mean, last - next_row], 1)
    inference = learner.infer(Held(x_BTC))
    np.testing.assert_allclose(inference.embedding_BD, embedding.numpy(), atol=1e-5)
    np.testing.assert_allclose(inference.residual_BR, expected.numpy(), atol=1e-5)


def test_inference_changes_nothing() -> None:
    """Reading leaves weights, replay and schedule as they were, and learning unaffected."""
    quiet, read = make_learner(), make_learner()
    for epoch in range(1, 5):
        read.infer(Held(windows(40)[0]))
        close_epoch(quiet, epoch)
        close_epoch(read, epoch)
    assert quiet.weights_digest() == read.weights_digest()


def test_the_last_row_does_not_predict_itself() -> None:
    """The next-step expectation of the last row comes from the rows before it alone."""
    learner, (x_BTC, _) = make_learner(next_step=True), windows(4)
    changed_BTC = x_BTC.copy()
    changed_BTC[:, -1] += 1.0
    both = [learner.infer(Held(x)).residual_BR for x in (x_BTC, changed_BTC)]
    before, after = (residual_BR[:, 2 * NUM_CHANNELS :] for residual_BR in both)
    np.testing.assert_allclose(after - before, 1.0, atol=1e-5)
