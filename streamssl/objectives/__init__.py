"""Pretext tasks: what the student learns from unlabelled windows.

A new objective is one file, one line in `OBJECTIVES` and one section of the configuration; the
contract tests pick it up from there.
"""

from __future__ import annotations

import torch

from streamssl.config.sections import ObjectivesConfig
from streamssl.objectives.autoencoder import Autoencoder
from streamssl.objectives.base import Network, Objective, Sample, Term
from streamssl.objectives.moco import Moco
from streamssl.objectives.next_step import NextStep

OBJECTIVES: dict[str, type[Objective]] = {
    "moco": Moco,
    "next_step": NextStep,
    "autoencoder": Autoencoder,
}


def build_objectives(
    config: ObjectivesConfig, *, projection: int, generator: torch.Generator
) -> dict[str, Objective]:
    """The objectives whose weight is above 0, in the order of the registry."""
    sections = {name: getattr(config, name) for name in OBJECTIVES}
    return {
        name: OBJECTIVES[name].build(section, projection=projection, generator=generator)
        for name, section in sections.items()
        if section.weight > 0
    }


__all__ = ["OBJECTIVES", "Network", "Objective", "Sample", "Term", "build_objectives"]
