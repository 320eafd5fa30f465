"""No networks: what stands in for the learner where `learner.enabled` is off.

B = events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.inputs import LazyInputs
from streamssl.data.results import Spread
from streamssl.learner.report import Inference, LearnReport


class AbsentLearner:
    """Embeds nothing, learns nothing, keeps nothing."""

    trained = False
    replay_records = 0
    replay_bytes = 0
    burst_step = 0
    burst_steps = 0

    def infer(self, inputs: LazyInputs) -> Inference:
        """Embeddings and residuals without dimensions."""
        nothing_B0 = np.zeros((len(inputs), 0), np.float32)
        return Inference(nothing_B0, nothing_B0)

    def learn(self, *_: Any, **__: Any) -> LearnReport:
        """No step is taken."""
        return LearnReport()

    def begin_at(self, *_: Any) -> None:
        """There is nothing to begin."""

    def spread(self) -> Spread:
        """Unknown, as before any training."""
        return Spread()

    def state_dict(self) -> dict[str, Any]:
        """Nothing: there are no networks."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Refuse the state of networks.

        Raises:
            ValueError: There is one.
        """
        if state:
            raise ValueError("it holds networks, and learner.enabled is false")

    def weights_digest(self) -> int:
        """The digest of no weights."""
        return 0
