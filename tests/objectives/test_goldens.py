"""Losses against independent computations in NumPy, and a short golden curve."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamssl.modalities.sensor.views import corrupt
from streamssl.objectives.base import smooth_l1
from streamssl.objectives.contrast import info_nce
from streamssl.objectives.moco import Moco
from streamssl.objectives.next_step import NextStep
from tests.objectives.networks import TinyNetwork, make_objective, make_sample, seeded

Array = npt.NDArray[np.float64]

# Made by running `curve` below (torch 2.13.0, one thread, x86-64): losses before each of 20
# plain gradient steps of rate 0.2 on one batch, the three objectives weighted as configured.
GOLDEN_CURVE = [
    1.67326808,
    1.44385433,
    1.34151959,
    1.29393411,
    1.23984718,
    1.23574758,
    1.216609,
    1.18116152,
    1.13897073,
    1.12578845,
    1.12115002,
    1.10300517,
    1.0979259,
    1.04402709,
    1.09417319,
    1.08842885,
    1.05285287,
    1.06706548,
    1.04254401,
    1.05603182,
]


def huber(error: Array) -> float:
    """Mean of e²/2 within one, |e| - 1/2 beyond."""
    size = np.abs(error)
    return float(np.where(size < 1, error**2 / 2, size - 0.5).mean())


def test_smooth_l1_is_hubers_loss() -> None:
    """Small errors count squared, large ones linearly; no element gives 0."""
    error = np.array([[-3.0, 0.5], [0.0, 1.5]])
    given = smooth_l1(torch.from_numpy(error), torch.zeros(2, 2, dtype=torch.float64))
    assert given.item() == pytest.approx(huber(error), rel=1e-12)
    assert smooth_l1(torch.zeros(0, 2), torch.zeros(0, 2)).item() == 0.0


def test_info_nce_against_numpy() -> None:
    """-log of the positive's share among itself and the allowed negatives."""
    generator = np.random.default_rng(0)
    query, key, queue = (generator.normal(size=(n, 5)) for n in (4, 4, 7))
    allowed = generator.random((4, 7)) < 0.6
    expected = []
    for row in range(4):
        positive = np.exp(query[row] @ key[row] / 0.2)
        negatives = np.exp(queue @ query[row] / 0.2)[allowed[row]].sum()
        expected.append(-np.log(positive / (positive + negatives)))
    given = info_nce(*(torch.from_numpy(a) for a in (query, key, queue, allowed)), temperature=0.2)
    assert given.item() == pytest.approx(float(np.mean(expected)), rel=1e-10)


def test_next_step_against_numpy() -> None:
    """Huber's loss of the linear prediction from the past alone."""
    student, sample = TinyNetwork(0), make_sample(9)
    weights = {name: p.detach().double().numpy() for name, p in student.named_parameters()}
    flat = student.past(sample.inputs)["window"].double().numpy().reshape(9, -1)
    hidden = flat @ weights["encoder.weight"].T + weights["encoder.bias"]
    predicted = hidden @ weights["predictor.weight"].T + weights["predictor.bias"]
    expected = huber(predicted - sample.inputs["window"][:, -1].double().numpy())
    given = NextStep(weight=1.0).loss(student, student, sample, seeded(0)).loss
    assert given.item() == pytest.approx(expected, rel=1e-5)


def test_autoencoder_against_numpy() -> None:
    """Huber's loss between the clean window and the decoding of the corrupted one."""
    student, sample = TinyNetwork(0), make_sample(9)
    weights = {name: p.detach().double().numpy() for name, p in student.named_parameters()}
    every_row = torch.ones(sample.inputs["window"].shape[1])
    noisy = (
        corrupt(sample.inputs["window"], every_row, seeded(5), noise=0.2, mask=0.25)
        .double()
        .numpy()
    )
    hidden = noisy.reshape(9, -1) @ weights["encoder.weight"].T + weights["encoder.bias"]
    decoded = hidden @ weights["decoder.weight"].T + weights["decoder.bias"]
    expected = huber(decoded - sample.inputs["window"].double().numpy().reshape(9, -1))
    given = make_objective("autoencoder").loss(student, student, sample, seeded(5)).loss
    assert given.item() == pytest.approx(expected, rel=1e-5)


def test_corruption_masks_whole_channels_and_adds_noise() -> None:
    """A quarter of the (window, channel) pairs is zero throughout, the rest moves by the noise."""
    x_BSC, rows_S = torch.ones(400, 6, 10), torch.tensor([4.0, 4.0, 2.0, 2.0, 1.0, 1.0])
    corrupted = corrupt(x_BSC, rows_S, seeded(0), noise=0.2, mask=0.25)
    hidden = (corrupted == 0).all(1)
    assert hidden.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal((corrupted == 0).any(1), hidden)
    for summary_row, rows in zip(corrupted.unbind(1), rows_S.tolist(), strict=True):
        kept = summary_row[~hidden]
        assert (kept - 1).std().item() == pytest.approx(0.2 / rows**0.5, rel=0.05)


def test_overlapping_windows_are_not_negatives() -> None:
    """Keys nearer in time than a window's span leave the loss; farther ones enter it."""
    objective, sample = make_objective("moco"), make_sample(8)
    assert isinstance(objective, Moco)
    student, teacher = TinyNetwork(0), TinyNetwork(1)
    objective.queue_time_Q.fill_(float(sample.event_time_B[0]))
    beside = objective.loss(student, teacher, sample, seeded(0)).loss
    objective.queue_time_Q.fill_(1e6)
    far = objective.loss(student, teacher, sample, seeded(0)).loss
    objective.queue_time_Q.fill_(float(sample.event_time_B[4]))
    near = objective.loss(student, teacher, sample, seeded(0)).loss
    assert near.item() == 0.0
    assert 0.0 < beside.item() < far.item()


def test_queue_takes_the_newest_keys() -> None:
    """What a taken step has seen stands at the queue's end; its size never changes."""
    objective, sample = make_objective("moco"), make_sample(8)
    assert isinstance(objective, Moco)
    size = len(objective.queue_QP)
    term = objective.loss(TinyNetwork(0), TinyNetwork(1), sample, seeded(0))
    objective.remember(*term.seen)
    assert len(objective.queue_QP) == len(objective.queue_time_Q) == size
    assert torch.equal(objective.queue_QP[-8:], term.seen[0])
    assert torch.equal(objective.queue_time_Q[-8:], sample.event_time_B)


def curve() -> list[float]:
    """Total loss before each of 20 gradient steps, the teacher following at 0.9."""
    student, teacher = TinyNetwork(0), TinyNetwork(0).requires_grad_(False)
    objectives = [make_objective(name) for name in ("moco", "next_step", "autoencoder")]
    sample, generator, losses = make_sample(16), seeded(7), []
    for _ in range(20):
        terms = [o.loss(student, teacher, sample, generator) for o in objectives]
        pairs = zip(objectives, terms, strict=True)
        total = torch.stack([o.weight * term.loss for o, term in pairs]).sum()
        losses.append(total.item())
        gradients = torch.autograd.grad(total, list(student.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(student.parameters(), gradients, strict=True):
                parameter.sub_(gradient, alpha=0.2)
            for old, new in zip(teacher.parameters(), student.parameters(), strict=True):
                old.lerp_(new, 0.1)
        for objective, term in zip(objectives, terms, strict=True):
            objective.remember(*term.seen)
    return losses


def test_golden_curve() -> None:
    """Twenty steps of all objectives together give the curve that they gave before."""
    assert curve() == pytest.approx(GOLDEN_CURVE, rel=1e-6)
