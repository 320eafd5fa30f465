"""What is anomalous: a modality's own core, and the scorers that serve every kind of stream.

A new shared scorer is one file, one line in `SCORERS` and one section of the configuration; the
contract tests pick it up from there.
"""

from __future__ import annotations

from streamssl.scorers.base import (
    Admitted,
    Core,
    Measured,
    Measurement,
    Scorer,
    ScorerSizes,
    Seen,
    SharedScorer,
)
from streamssl.scorers.memory import MemoryScorer
from streamssl.scorers.residual import ResidualScorer
from streamssl.scorers.window import WindowScorer

SCORERS: dict[str, type[SharedScorer]] = {
    "window": WindowScorer,
    "residual": ResidualScorer,
    "memory": MemoryScorer,
}

__all__ = [
    "SCORERS",
    "Admitted",
    "Core",
    "Measured",
    "Measurement",
    "Scorer",
    "ScorerSizes",
    "Seen",
    "SharedScorer",
]
