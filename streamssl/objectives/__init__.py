"""Pretext tasks: what the student learns from an unlabelled stream.

A new objective is one file, one line in `OBJECTIVES` and one section of the configuration; the
contract tests pick it up from there.
"""

from __future__ import annotations

import torch

from streamssl.config.problems import ConfigError, Problem
from streamssl.config.sections import ObjectivesConfig
from streamssl.objectives.adversarial import Adversarial
from streamssl.objectives.autoencoder import Autoencoder
from streamssl.objectives.barlow_twins import BarlowTwins
from streamssl.objectives.base import HeadSizes, Objective, Sample, Term
from streamssl.objectives.byol import Byol
from streamssl.objectives.masked import Masked
from streamssl.objectives.moco import Moco
from streamssl.objectives.multi_instance import MultiInstance
from streamssl.objectives.network import Network, TensorInputs, lacking
from streamssl.objectives.next_step import NextStep
from streamssl.objectives.simclr import Simclr
from streamssl.objectives.sparse_code import SparseCode
from streamssl.objectives.temporal_order import TemporalOrder
from streamssl.objectives.vicreg import Vicreg

OBJECTIVES: dict[str, type[Objective]] = {
    "moco": Moco,
    "next_step": NextStep,
    "autoencoder": Autoencoder,
    "simclr": Simclr,
    "byol": Byol,
    "vicreg": Vicreg,
    "barlow_twins": BarlowTwins,
    "masked": Masked,
    "adversarial": Adversarial,
    "multi_instance": MultiInstance,
    "temporal_order": TemporalOrder,
    "sparse_code": SparseCode,
}


def check_objectives(config: ObjectivesConfig, network: type[Network], kind: str) -> None:
    """Refuse objectives that a modality's networks cannot serve.

    Raises:
        ConfigError: It names each such objective, and what its network lacks.
    """
    lacks = {name: lacking(network, OBJECTIVES[name].needs) for name in _chosen(config)}
    problems = [
        Problem(
            f"objectives.{name}.weight",
            f"the networks of modality {kind!r} have no {', '.join(missing)}, which this "
            "objective needs; set the weight to 0",
        )
        for name, missing in lacks.items()
        if missing
    ]
    if problems:
        raise ConfigError(problems)


def build_objectives(
    config: ObjectivesConfig, *, sizes: HeadSizes, generator: torch.Generator
) -> dict[str, Objective]:
    """The objectives whose weight is above 0, in the order of the registry."""
    return {
        name: OBJECTIVES[name].build(getattr(config, name), sizes=sizes, generator=generator)
        for name in _chosen(config)
    }


def need_keys(config: ObjectivesConfig) -> bool:
    """Whether an objective asks which key an input is of."""
    return any(OBJECTIVES[name].needs_keys for name in _chosen(config))


def _chosen(config: ObjectivesConfig) -> list[str]:
    return [name for name in OBJECTIVES if getattr(config, name).weight > 0]


__all__ = [
    "OBJECTIVES",
    "HeadSizes",
    "Network",
    "Objective",
    "Sample",
    "TensorInputs",
    "Term",
    "build_objectives",
    "check_objectives",
    "lacking",
    "need_keys",
]
