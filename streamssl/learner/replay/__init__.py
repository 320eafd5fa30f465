"""What is kept of the past for training: a byte-bounded sample of inputs.

A new policy is one file and one line in `POLICIES`; the contract tests pick it up from there.
"""

from __future__ import annotations

from streamssl.learner.replay.base import Policy
from streamssl.learner.replay.fifo import Fifo
from streamssl.learner.replay.fifo_then_reservoir import FifoThenReservoir
from streamssl.learner.replay.min_redundancy import MinRedundancy
from streamssl.learner.replay.reservoir import Reservoir

POLICIES: dict[str, type[Policy]] = {
    "reservoir": Reservoir,
    "fifo": Fifo,
    "min_redundancy": MinRedundancy,
    "fifo_then_reservoir": FifoThenReservoir,
}

__all__ = ["POLICIES", "Policy", "Reservoir"]
