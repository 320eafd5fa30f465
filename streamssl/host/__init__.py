"""Where the learner runs: in the engine's process, or in one of its own beside it.

`local` loads torch; what is here does not, and so an engine beside its learner never does.
"""

from __future__ import annotations

from streamssl.host.base import (
    Closed,
    Given,
    Host,
    Learner,
    Restored,
    StatefulLearner,
    Written,
)
from streamssl.host.process import LearnerProcessError, ProcessHost

__all__ = [
    "Closed",
    "Given",
    "Host",
    "Learner",
    "LearnerProcessError",
    "ProcessHost",
    "Restored",
    "StatefulLearner",
    "Written",
]
