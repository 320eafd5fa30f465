"""The toy's own scorer: how far each number is from its key's, how rare each text is.

B = events, A = explained events, C = numbers, K = texts, P = parts, N = codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns
from streamssl.scorers.base import FITTED_ROWS, Admitted, Core, Measurement, Seen
from tests.toy.features import NUM_CODES, ToyContext, ToyMeasured


class ToyCore(Core[ToyMeasured]):
    """Counts of every text's codes; numbers are judged by the statistics in their context.

    Args:
        num_texts: K.
    """

    def __init__(self, *, num_texts: int) -> None:
        self.counts_KN = np.zeros((num_texts, NUM_CODES))

    def measure(self, context: ToyContext, own_B: IntArray) -> Measurement[ToyMeasured]:
        """-log((n_code + 1/N) / (n + 1)) of texts, log(1 + z^2) of numbers."""
        total_K1 = self.counts_KN.sum(1, keepdims=True)
        chance_KN = (self.counts_KN + 1.0 / NUM_CODES) / (total_K1 + 1.0)
        places_BK = np.arange(len(self.counts_KN)), context.codes_BK
        rare_BK = -np.log(chance_KN[places_BK])
        far_BC = np.log1p(context.standardised() ** 2)
        odd_BP = np.concatenate([far_BC, rare_BK], axis=1)
        norm_B1 = np.sqrt((odd_BP**2).sum(1, keepdims=True))
        measured = ToyMeasured(
            slot_B=context.slot_B,
            age_B=context.age_B,
            entry_B=np.zeros_like(own_B),
            own_B=own_B,
            evidence_BV=np.concatenate([norm_B1, odd_BP], axis=1),
            top_B=odd_BP.argmax(1),
            values_BC=context.values_BC,
            mean_BC=context.mean_BC,
            codes_BK=context.codes_BK,
        )
        return Measurement(measured)

    def fitted(self, measured: ToyMeasured) -> BoolArray:
        """`[B]` whether enough events were counted."""
        return np.full(len(measured.slot_B), bool((self.counts_KN.sum(1) >= FITTED_ROWS).all()))

    def score(self, seen: Seen[ToyMeasured]) -> FloatArray:
        """`[B]` norm of the parts' evidence: the first kind of all."""
        return seen.measured.evidence_BV[:, 0]

    def contributions(self, seen: Seen[ToyMeasured]) -> FloatArray:
        """`[A, P]` squared evidence of each part."""
        return seen.measured.part_scores() ** 2

    def learn(
        self,
        seen: Seen[ToyMeasured],
        admitted: Admitted,
        generator: np.random.Generator,  # noqa: ARG002 - the interface's
    ) -> None:
        """Count the texts of the rows that may be learned."""
        for counts_N, codes_B in zip(
            self.counts_KN, seen.measured.codes_BK[admitted.learn_B].T, strict=True
        ):
            counts_N += np.bincount(codes_B, minlength=NUM_CODES)

    def per_key(self) -> list[KeyColumns]:
        """Nothing of a key's own."""
        return []

    def bytes_per_own_key(self) -> int:
        """Nothing of a key's own."""
        return 0

    def state_dict(self) -> dict[str, Any]:
        """The counts."""
        return {"counts": self.counts_KN.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        self.counts_KN = np.array(state["counts"])
