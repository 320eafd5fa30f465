"""What is anomalous, and how surprising that is.

A new scorer is one file, one line in `SCORERS` and one section of the configuration; the contract
tests pick it up from there.
"""

from __future__ import annotations

from streamssl.scorers.base import Admitted, Features, Measured, Scorer, Seen, Sizes
from streamssl.scorers.gaussian import GaussianScorer
from streamssl.scorers.memory import MemoryScorer
from streamssl.scorers.residual import ResidualScorer

SCORERS: dict[str, type[Scorer]] = {
    "gaussian": GaussianScorer,
    "residual": ResidualScorer,
    "memory": MemoryScorer,
}

__all__ = ["SCORERS", "Admitted", "Features", "Measured", "Scorer", "Seen", "Sizes"]
