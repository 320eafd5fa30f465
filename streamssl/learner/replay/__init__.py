"""What is kept of the past for training: a byte-bounded sample of inputs.

A new policy is one file and one line in `POLICIES`; the contract tests pick it up from there.
"""

from __future__ import annotations

from streamssl.learner.replay.base import Policy
from streamssl.learner.replay.reservoir import Reservoir

POLICIES: dict[str, type[Policy]] = {"reservoir": Reservoir}

__all__ = ["POLICIES", "Policy", "Reservoir"]
