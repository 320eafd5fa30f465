"""Promises of every objective in the registry."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from streamssl.config.sections import ObjectivesConfig
from streamssl.objectives import OBJECTIVES, Term, build_objectives
from tests.objectives.networks import SIZES, TinyNetwork, make_objective, make_sample, seeded

every_objective = pytest.mark.parametrize("name", list(OBJECTIVES))


def term_of(name: str, num_samples: int, seed: int = 0) -> tuple[TinyNetwork, TinyNetwork, Term]:
    student, teacher = TinyNetwork(0), TinyNetwork(1).requires_grad_(False)
    sample = make_sample(num_samples)
    return student, teacher, make_objective(name).loss(student, teacher, sample, seeded(seed))


@every_objective
def test_loss_is_finite_and_reaches_only_the_student(name: str) -> None:
    """The loss is a finite scalar whose gradient reaches the student's encoder, not the teacher."""
    student, teacher, term = term_of(name, 16)
    term.loss.backward()  # type: ignore[no-untyped-call]
    gradient = student.encoder.weight.grad
    assert term.loss.shape == ()
    assert math.isfinite(term.loss.item())
    assert gradient is not None
    assert gradient.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())


@every_objective
def test_what_is_remembered_carries_no_gradient(name: str) -> None:
    """An objective's memory never keeps a graph alive."""
    _, _, term = term_of(name, 4)
    assert not any(tensor.requires_grad for tensor in term.seen)


@every_objective
@pytest.mark.parametrize("num_samples", [0, 1])
def test_small_batches_are_batches(name: str, num_samples: int) -> None:
    """No sample gives loss 0 and one a finite loss, both with finite gradients."""
    student, _, term = term_of(name, num_samples)
    term.loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in student.parameters() if p.grad is not None]
    assert math.isfinite(term.loss.item())
    assert all(gradient.isfinite().all() for gradient in gradients)
    assert num_samples == 1 or term.loss.item() == 0.0


@every_objective
def test_loss_changes_no_state(name: str) -> None:
    """A loss that is computed but whose step is refused leaves the objective as it was."""
    objective = make_objective(name)
    before = copy.deepcopy(objective.state_dict())
    objective.loss(TinyNetwork(0), TinyNetwork(1), make_sample(8), seeded(0))
    after = objective.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@every_objective
def test_same_generator_same_bits(name: str) -> None:
    """Randomness comes from the generator alone."""
    first, again = term_of(name, 8, seed=3)[2], term_of(name, 8, seed=3)[2]
    assert torch.equal(first.loss, again.loss)


@every_objective
def test_weight_zero_switches_off(name: str) -> None:
    """An objective of weight 0 is not built; the others are, in the registry's order."""
    weights = {other: {"weight": float(other != name)} for other in OBJECTIVES}
    built = build_objectives(
        ObjectivesConfig.model_validate(weights), sizes=SIZES, generator=seeded(0)
    )
    assert list(built) == [other for other in OBJECTIVES if other != name]


def test_weights_come_from_the_configuration() -> None:
    """Each objective carries the weight of its section."""
    config = ObjectivesConfig.model_validate({"next_step": {"weight": 0.25}})
    built = build_objectives(config, sizes=SIZES, generator=seeded(0))
    assert built["next_step"].weight == 0.25
