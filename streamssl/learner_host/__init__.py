"""Where the learner runs: in the engine's process, or in one of its own beside it."""

from __future__ import annotations

from streamssl.learner_host.base import (
    Closed,
    Given,
    Host,
    Learner,
    Restored,
    StatefulLearner,
    Written,
)
from streamssl.learner_host.local import LocalHost
from streamssl.learner_host.process import LearnerProcessError, ProcessHost

__all__ = [
    "Closed",
    "Given",
    "Host",
    "Learner",
    "LearnerProcessError",
    "LocalHost",
    "ProcessHost",
    "Restored",
    "StatefulLearner",
    "Written",
]
