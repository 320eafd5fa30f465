"""Pretext tasks: what the student learns from an unlabelled stream.

A new objective is one file, one line in `OBJECTIVES` and one section of the configuration; the
contract tests pick it up from there.
"""

from __future__ import annotations

import torch

from streamssl.config.problems import ConfigError, Problem
from streamssl.config.sections import ObjectivesConfig
from streamssl.objectives.autoencoder import Autoencoder
from streamssl.objectives.base import Objective, Sample, Term
from streamssl.objectives.moco import Moco
from streamssl.objectives.network import Network, TensorInputs, lacking
from streamssl.objectives.next_step import NextStep

OBJECTIVES: dict[str, type[Objective]] = {
    "moco": Moco,
    "next_step": NextStep,
    "autoencoder": Autoencoder,
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
    config: ObjectivesConfig, *, projection: int, generator: torch.Generator
) -> dict[str, Objective]:
    """The objectives whose weight is above 0, in the order of the registry."""
    return {
        name: OBJECTIVES[name].build(
            getattr(config, name), projection=projection, generator=generator
        )
        for name in _chosen(config)
    }


def _chosen(config: ObjectivesConfig) -> list[str]:
    return [name for name in OBJECTIVES if getattr(config, name).weight > 0]


__all__ = [
    "OBJECTIVES",
    "Network",
    "Objective",
    "Sample",
    "TensorInputs",
    "Term",
    "build_objectives",
    "check_objectives",
    "lacking",
]
