"""Where the learner runs: in the engine's process, or in one of its own beside it.

`local` loads torch; what is here does not, and so an engine beside its learner never does.
"""

from __future__ import annotations

from streamssl.host.base import Closed, Host, Restored, Written
from streamssl.host.learner import HostedLearner, LearnerStatus
from streamssl.host.process import LearnerProcessError, ProcessHost

__all__ = [
    "Closed",
    "Host",
    "HostedLearner",
    "LearnerProcessError",
    "LearnerStatus",
    "ProcessHost",
    "Restored",
    "Written",
]
