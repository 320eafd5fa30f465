"""The learner's promises with every backbone: bits wherever a window stands, state, residuals."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from streamssl.config.sections import LearnerConfig
from streamssl.data.events import Float32Array
from streamssl.learner import Learner
from streamssl.learner.tiles import TILE
from streamssl.modalities.sensor.backbones import BACKBONES
from streamssl.modalities.sensor.network import SensorNetwork
from streamssl.modalities.sensor.views import past
from tests.learner.streams import (
    LEARN,
    LEARNER,
    NUM_CHANNELS,
    Held,
    close_epoch,
    make_learner,
    windows,
)
from tests.learner.test_infer import SHAPES

OTHERS = [name for name in BACKBONES if name != "summary"]
every_other = pytest.mark.parametrize("name", OTHERS)
NUM_WINDOWS = TILE + 3


def small(name: str, *, next_step: bool = False) -> Learner:
    learner = LEARNER.model_copy(update={"backbone": name})
    return make_learner(learner=learner, next_step=next_step)


@cache
def wide(name: str, shape: tuple[int, int]) -> tuple[Learner, Float32Array]:
    """A learner of the default sizes, and more windows than a tile has."""
    generator = np.random.default_rng(0)
    x_BTC = generator.normal(size=(NUM_WINDOWS, shape[1], shape[0])).astype(np.float32)
    config = LearnerConfig.model_validate({"backbone": name})
    return make_learner(learner=config, shape=shape, next_step=True), x_BTC


@every_other
@pytest.mark.parametrize("shape", SHAPES)
def test_bits_do_not_depend_on_the_place(name: str, shape: tuple[int, int]) -> None:
    """A window has the same bits at every place of a tile, beside whichever others."""
    learner, x_BTC = wide(name, shape)
    straight = learner.infer(Held(x_BTC, name))
    random = np.random.default_rng(1).permutation(NUM_WINDOWS)
    for order in (np.roll(np.arange(NUM_WINDOWS), 1), np.roll(np.arange(NUM_WINDOWS), 66), random):
        moved = learner.infer(Held(x_BTC[order], name))
        assert np.array_equal(moved.embedding_BD, straight.embedding_BD[order])
        assert np.array_equal(moved.residual_BR, straight.residual_BR[order])


@every_other
@pytest.mark.parametrize("shape", SHAPES[:3])
def test_bits_do_not_depend_on_the_cut(name: str, shape: tuple[int, int]) -> None:
    """However windows are cut into calls, each gets the same bits."""
    learner, x_BTC = wide(name, shape)
    whole = learner.infer(Held(x_BTC, name))
    pieces = [learner.infer(Held(piece, name)) for piece in np.split(x_BTC, [0, 1, 60, 61])]
    for column in range(2):
        assert np.array_equal(np.concatenate([p[column] for p in pieces]), whole[column])


@every_other
def test_residuals_are_actual_minus_expected(name: str) -> None:
    """Of the last row, of the window's mean, and of the row predicted from those before it."""
    learner, (x_BTC, _) = small(name, next_step=True), windows(20)
    network, window = learner._trainer.teacher, torch.from_numpy(x_BTC)
    assert isinstance(network, SensorNetwork)
    with torch.no_grad():
        embedding = network.encode({"window": window})
        decoded = network.decode(embedding)
        next_row = network.predict(network.encode({"window": past(window)}))
    last = window[:, -1]
    gaps = last - decoded[:, -1], window.mean(1) - decoded.mean(1), last - next_row
    inference = learner.infer(Held(x_BTC, name))
    np.testing.assert_allclose(inference.embedding_BD, embedding.numpy(), atol=1e-5)
    np.testing.assert_allclose(inference.residual_BR, torch.cat(gaps, 1).numpy(), atol=1e-5)


@every_other
def test_the_last_row_does_not_predict_itself(name: str) -> None:
    """The next-step expectation of the last row comes from the rows before it alone."""
    learner, (x_BTC, _) = small(name, next_step=True), windows(4)
    changed_BTC = x_BTC.copy()
    changed_BTC[:, -1] += 1.0
    both = [learner.infer(Held(x, name)).residual_BR for x in (x_BTC, changed_BTC)]
    before, after = (residual_BR[:, 2 * NUM_CHANNELS :] for residual_BR in both)
    np.testing.assert_allclose(after - before, 1.0, atol=1e-5)


@every_other
def test_training_lowers_the_loss(name: str) -> None:
    """On a predictable stream reconstruction gets better, and every weight of the encoder moves."""
    learn = LEARN.model_copy(update={"burst_steps": 60, "burst_slice": 20})
    learner = make_learner(
        learner=LEARNER.model_copy(update={"backbone": name}),
        learn=learn,
    )
    student = learner._trainer.student
    before = {key: tensor.clone() for key, tensor in student.state_dict().items()}
    reports = [close_epoch(learner, epoch) for epoch in range(1, 5)]
    assert reports[-1].losses["autoencoder"] < 0.9 * reports[1].losses["autoencoder"]
    moved = {k for k, tensor in student.state_dict().items() if not torch.equal(tensor, before[k])}
    assert {key for key in before if key.startswith("encoder.")} <= moved


@every_other
def test_a_state_loads_into_its_backbone_alone(name: str) -> None:
    """A restored learner goes on with the same bits; the default's state is refused."""
    learner, restored = small(name), small(name)
    for epoch in range(1, 4):
        close_epoch(learner, epoch)
    restored.load_state_dict(learner.state_dict())
    close_epoch(learner, 4)
    close_epoch(restored, 4)
    assert restored.weights_digest() == learner.weights_digest()
    with pytest.raises(RuntimeError, match="state_dict"):
        restored.load_state_dict(make_learner().state_dict())
