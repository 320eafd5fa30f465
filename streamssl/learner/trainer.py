"""One optimiser step: student by gradient, teacher by moving average.

B = samples.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from streamssl.config.sections import LearnerConfig
from streamssl.objectives import Network, Objective, Sample, Term


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one step did.

    Attributes:
        taken: False where the loss or the gradient was not finite: nothing has changed.
        losses: Unweighted loss of each objective.
        gradient_norm: Before clipping.
    """

    taken: bool
    losses: dict[str, float]
    gradient_norm: float


class Trainer:
    """Student, teacher, objectives and optimiser.

    Adam's moments forget within some thousand steps and the rate of upkeep is constant, so a
    step late in an endless stream is worth as much as an early one.

    Args:
        student: The network to train; the teacher starts as its copy.
        objectives: Terms of the loss by name.
        config: Rates, decay, clipping, momentum.
    """

    def __init__(
        self, *, student: Network, objectives: dict[str, Objective], config: LearnerConfig
    ) -> None:
        self._config = config
        self.student = student
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self._followed: tuple[list[Tensor], list[Tensor]] = (
            list(self.teacher.parameters()),
            list(self.student.parameters()),
        )
        self.objectives = objectives
        self._modules = nn.ModuleDict(objectives)
        self._trained = {
            **{f"student.{name}": p for name, p in self.student.named_parameters()},
            **{f"objectives.{name}": p for name, p in self._modules.named_parameters()},
        }
        self._optimiser = torch.optim.AdamW(
            self._trained.values(), weight_decay=config.weight_decay, fused=True
        )

    def step(
        self, sample: Sample, *, rate: float, generator: torch.Generator, number: int = 0
    ) -> StepReport:
        """Take one step, or refuse it; `number` decides which objectives' turn it is."""
        terms = self._terms(sample, generator, number)
        total = self._gradients(terms)
        norm = float(
            nn.utils.clip_grad_norm_(self._trained.values(), self._config.max_gradient_norm)
        )
        taken = math.isfinite(total) and math.isfinite(norm)
        if taken:
            self._apply(rate, terms)
        self._optimiser.zero_grad(set_to_none=True)
        losses = {name: float(term.loss.detach()) for name, term in terms.items()}
        return StepReport(taken=taken, losses=losses, gradient_norm=norm)

    def state_dict(self) -> dict[str, Any]:
        """Weights, the objectives' state and the optimiser's moments, by name."""
        return {
            "student": _copy(self.student.state_dict()),
            "teacher": _copy(self.teacher.state_dict()),
            "objectives": _copy(self._modules.state_dict()),
            "optimiser": {
                name: _copy(self._optimiser.state[parameter])
                for name, parameter in self._trained.items()
                if parameter in self._optimiser.state
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over a state of the same architecture."""
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self._modules.load_state_dict(state["objectives"])
        self._optimiser.state.clear()
        for name, moments in state["optimiser"].items():
            parameter = self._trained[name]
            self._optimiser.state[parameter] = {
                key: value.clone().to(parameter.device) for key, value in moments.items()
            }

    def _terms(self, sample: Sample, generator: torch.Generator, number: int) -> dict[str, Term]:
        due = {name: o for name, o in self.objectives.items() if number % o.every == 0}
        return {
            name: objective.loss(self.student, self.teacher, sample, generator)
            for name, objective in (due or self.objectives).items()
        }

    def _gradients(self, terms: dict[str, Term]) -> float:
        """Gradient of the weighted sum; its value."""
        weighted = [self.objectives[name].weight * term.loss for name, term in terms.items()]
        total = torch.stack(weighted).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return float(total.detach())

    def _apply(self, rate: float, terms: dict[str, Term]) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._follow()
        for name, term in terms.items():
            self.objectives[name].remember(*term.seen)

    @torch.no_grad()
    def _follow(self) -> None:
        """Teacher ← m · teacher + (1 - m) · student."""
        teacher, student = self._followed
        torch._foreach_lerp_(teacher, student, 1.0 - self._config.momentum)


def _copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone().cpu() for name, tensor in tensors.items()}
