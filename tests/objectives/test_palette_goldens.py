"""Losses of the palette against independent computations in NumPy, sample by sample.

B = samples, E = width of an expander.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from streamssl.objectives import Objective, Sample
from streamssl.objectives.adversarial import Adversarial
from streamssl.objectives.barlow_twins import BarlowTwins, redundancy
from streamssl.objectives.byol import Byol
from streamssl.objectives.heads import reversed_gradient
from streamssl.objectives.multi_instance import MultiInstance, partners
from streamssl.objectives.sparse_code import SparseCode
from streamssl.objectives.temporal_order import TemporalOrder
from streamssl.objectives.vicreg import Vicreg, covariance, invariance, variance
from tests.objectives.networks import TinyNetwork, make_objective, make_sample, seeded

Array = npt.NDArray[np.float64]
NUM_SAMPLES = 10


class World:
    """Double precision networks, an objective and a sample; what the objective draws is redrawn."""

    def __init__(self, name: str) -> None:
        self.student, self.teacher = TinyNetwork(0).double(), TinyNetwork(1).double()
        self.objective: Objective = make_objective(name).double()
        single = make_sample(NUM_SAMPLES)
        self.window = single.inputs["window"].double()
        self.sample = Sample(
            {"window": self.window}, single.event_time_B, single.span_s, single.key_B
        )

    def loss(self) -> float:
        """The objective's."""
        generator = seeded(5)
        return self.objective.loss(self.student, self.teacher, self.sample, generator).loss.item()

    def views(self) -> list[Array]:
        """The two views that it drew."""
        generator = seeded(5)
        return [
            self.student.augment(self.sample.inputs, generator)["window"].numpy() for _ in range(2)
        ]


def affine(layer: nn.Module, x: Array) -> Array:
    """W x + b."""
    assert isinstance(layer, nn.Linear)
    return x @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()


def embedded(network: TinyNetwork, window: Array) -> Array:
    return affine(network.encoder, window.reshape(len(window), -1))


def projected(network: TinyNetwork, window: Array) -> Array:
    z = affine(network.projector, embedded(network, window))
    return np.asarray(z / np.linalg.norm(z, axis=1, keepdims=True))


def head(layers: nn.Module, x: Array) -> Array:
    """A head's layers one after another, gelu(x) = x Φ(x) between them."""
    assert isinstance(layers, nn.Sequential)
    for layer in layers:
        x = affine(layer, x) if isinstance(layer, nn.Linear) else gelu(x)
    return x


def gelu(x: Array) -> Array:
    return np.asarray(x * torch.special.ndtr(torch.from_numpy(x)).numpy())


def huber(error: Array) -> float:
    size = np.abs(error)
    return float(np.where(size < 1, error**2 / 2, size - 0.5).mean())


def log_loss(logit: Array, truth: bool) -> float:
    share = 1 / (1 + np.exp(-logit))
    return float(-np.log(share if truth else 1 - share).mean())


def contrasted(views: list[Array], partner: list[int], allowed: Any) -> float:
    """NT-Xent by its definition: a sum for each anchor over the negatives that it may have."""
    first, second = views
    total = 0.0
    for mine, other in ((first, second), (second, first)):
        for i in range(NUM_SAMPLES):
            positive = np.exp(mine[i] @ other[partner[i]] / 0.2)
            negatives = sum(
                np.exp(mine[i] @ view[j] / 0.2)
                for j in range(NUM_SAMPLES)
                for view in views
                if allowed(i, j)
            )
            total -= np.log(positive / (positive + negatives))
    return total / (2 * NUM_SAMPLES)


def test_simclr_against_numpy() -> None:
    """Negatives are both views of the samples that are six seconds or more away."""
    world = World("simclr")
    views = [projected(world.student, view) for view in world.views()]
    expected = contrasted(views, [*range(NUM_SAMPLES)], lambda i, j: abs(i - j) >= 6)
    assert world.loss() == pytest.approx(expected, rel=1e-10)


def test_multi_instance_against_numpy() -> None:
    """Positives are views of a partner of the same key, negatives those of other keys."""
    world = World("multi_instance")
    generator = seeded(5)
    views = [
        projected(
            world.student, world.student.augment(world.sample.inputs, generator)["window"].numpy()
        )
        for _ in range(2)
    ]
    assert world.sample.key_B is not None
    same = world.sample.key_B[:, None] == world.sample.key_B[None, :]
    partner = partners(same, generator).tolist()
    expected = contrasted(views, partner, lambda i, j: i % 3 != j % 3)
    assert world.loss() == pytest.approx(expected, rel=1e-10)


def test_partners_are_others_of_the_same_key() -> None:
    """Every sample has another one of its key; one that is alone has itself."""
    key_B = torch.tensor([4, 7, 4, 9, 7, 4])
    drawn = [partners(key_B[:, None] == key_B[None, :], seeded(n)).tolist() for n in range(40)]
    assert [{partner[i] for partner in drawn} for i in range(6)] == [
        {2, 5},
        {4},
        {0, 5},
        {3},
        {1},
        {0, 2},
    ]


def test_multi_instance_asks_for_keys() -> None:
    """Without the keys of its inputs it says what is missing."""
    world = World("multi_instance")
    assert isinstance(world.objective, MultiInstance)
    world.sample = Sample(world.sample.inputs, world.sample.event_time_B, 1.0)
    with pytest.raises(ValueError, match="key_B"):
        world.loss()


def test_byol_against_numpy() -> None:
    """Squared distance of the unit vectors of prediction and target, over both directions."""
    world = World("byol")
    assert isinstance(world.objective, Byol)
    one, other = world.views()
    total = 0.0
    for mine, theirs in ((one, other), (other, one)):
        prediction = head(world.objective.predictor, projected(world.student, mine))
        prediction /= np.linalg.norm(prediction, axis=1, keepdims=True)
        gap = prediction - projected(world.teacher, theirs)
        total += float((gap**2).sum(1).mean()) / 2
    assert world.loss() == pytest.approx(total, rel=1e-10)


def test_vicreg_against_numpy() -> None:
    """The three terms of the paper from NumPy's own variance and covariance."""
    world = World("vicreg")
    assert isinstance(world.objective, Vicreg)
    first, second = (
        head(world.objective.expander, embedded(world.student, view)) for view in world.views()
    )
    width = first.shape[1]
    expected = float(((first - second) ** 2).mean())
    for z in (first, second):
        deviation = np.sqrt(z.var(0, ddof=1) + 1e-4)
        expected += float(np.maximum(0, 1 - deviation).mean())
        common = np.cov(z.T)
        expected += 0.04 * float((common**2).sum() - (np.diag(common) ** 2).sum()) / width
    assert world.loss() == pytest.approx(expected, rel=1e-10)


def test_the_terms_of_vicreg_vanish_where_they_are_met() -> None:
    """Equal views, deviations above 1 and uncorrelated dimensions cost nothing."""
    z_BE = 2.0 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert invariance(z_BE, z_BE).item() == variance(z_BE).item() == covariance(z_BE).item() == 0.0


def test_barlow_twins_against_numpy() -> None:
    """NumPy's correlation matrix of both views against the identity."""
    world = World("barlow_twins")
    assert isinstance(world.objective, BarlowTwins)
    first, second = (
        head(world.objective.expander, embedded(world.student, view)) for view in world.views()
    )
    width = first.shape[1]
    scale = [np.sqrt(z.var(0) / (z.var(0) + 1e-5)) for z in (first, second)]
    correlation = np.corrcoef(first.T, second.T)[:width, width:] * np.outer(*scale)
    diagonal = np.diag(correlation)
    off = float((correlation**2).sum() - (diagonal**2).sum())
    expected = (float(((1 - diagonal) ** 2).sum()) + 5e-3 * off) / width
    assert world.loss() == pytest.approx(expected, rel=1e-9)


def test_redundancy_of_independent_equal_views_is_nought() -> None:
    """Equal views whose dimensions are uncorrelated are what the loss asks for."""
    z_BE = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert redundancy(z_BE, z_BE, factor=1.0).item() == pytest.approx(0.0, abs=1e-9)


def test_masked_against_numpy() -> None:
    """Huber's loss over the hidden values alone, given all else."""
    world = World("masked")
    _, hidden = world.student.hide(world.window, seeded(5), time=0.25, channels=0.15)
    mask, clean = hidden.numpy(), world.window.numpy()
    shown = np.where(mask, 0.0, clean)
    rebuilt = affine(world.student.decoder, embedded(world.student, shown)).reshape(clean.shape)
    assert 0 < mask.sum() < mask.size
    assert world.loss() == pytest.approx(huber((rebuilt - clean)[mask]), rel=1e-10)


def corrupted(world: World) -> Array:
    assert isinstance(world.objective, Adversarial)
    noise, mask = world.objective.noise, world.objective.mask
    return np.asarray(world.student.corrupt(world.window, seeded(5), noise=noise, mask=mask))


def test_adversarial_against_numpy() -> None:
    """Half of the loss is of real inputs, a quarter each of corrupted and of repaired ones."""
    world = World("adversarial")
    assert isinstance(world.objective, Adversarial)
    judge, student = world.objective.discriminator, world.student
    noisy = corrupted(world)
    repaired = affine(student.decoder, embedded(student, noisy))
    real, false, fixed = (
        head(judge, embedded(student, x)) for x in (world.window.numpy(), noisy, repaired)
    )
    expected = 0.5 * log_loss(real, True) + 0.25 * (log_loss(false, False) + log_loss(fixed, False))
    assert world.loss() == pytest.approx(expected, rel=1e-10)


def test_the_decoder_is_the_adversary() -> None:
    """A step down the gradient lets the decoder raise the loss that the discriminator lowers."""
    world = World("adversarial")
    term = world.objective.loss(world.student, world.teacher, world.sample, seeded(5))
    names = ("decoder.weight", "decoder.bias")
    parameters = [world.student.get_parameter(name) for name in names]
    gradients = torch.autograd.grad(term.loss, parameters)
    before = world.loss()
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(gradient, alpha=0.1)
    assert world.loss() > before


def test_a_reversed_gradient_leaves_the_value() -> None:
    """The value stays; the gradient is turned round and scaled."""
    x = torch.tensor([1.5, -2.0], requires_grad=True)
    y = reversed_gradient(x, 0.5)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(y.detach(), x.detach())
    assert gradient.tolist() == [-0.5, -0.5]


def test_temporal_order_against_numpy() -> None:
    """The logistic loss of windows as they are, and of the same out of order."""
    world = World("temporal_order")
    assert isinstance(world.objective, TemporalOrder)
    mixed: Tensor = world.student.reorder(world.sample.inputs, seeded(5))["window"]
    logits = [
        head(world.objective.judge, embedded(world.student, x.numpy()))
        for x in (world.window, mixed)
    ]
    expected = (log_loss(logits[0], True) + log_loss(logits[1], False)) / 2
    assert world.loss() == pytest.approx(expected, rel=1e-10)


def test_sparse_code_against_numpy() -> None:
    """Huber's loss of what unit atoms rebuild, and the mean sum of the code."""
    world = World("sparse_code")
    assert isinstance(world.objective, SparseCode)
    atoms = world.objective.atoms_KD.detach().numpy()
    atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
    clean = world.window.numpy()
    code = np.maximum(head(world.objective.code, embedded(world.student, clean)), 0.0)
    rebuilt = affine(world.student.decoder, code @ atoms).reshape(clean.shape)
    expected = huber(rebuilt - clean) + 0.01 * float(code.sum(1).mean())
    assert world.loss() == pytest.approx(expected, rel=1e-10)
