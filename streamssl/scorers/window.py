"""Gated Mahalanobis distance of what the usual shapes leave over of a key's window.

The shapes are principal directions that all keys share (`window_basis.py`), the distance is of
the row's own entry where its key has one.

B = events, A = explained events, P = parts, R = residuals, S = blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from streamssl.arithmetic.tiles import tile_rows
from streamssl.config.sections import ScorersConfig
from streamssl.data.events import BoolArray, FloatArray, IntArray
from streamssl.data.keys import KeyColumns
from streamssl.scorers.base import FITTED_ROWS, Admitted, ScorerSizes, Seen, SharedScorer
from streamssl.scorers.gaussian_bank import GaussianBank
from streamssl.scorers.window_basis import WindowBasis
from streamssl.scorers.window_reader import BlockRead

# docs/research-log.md, "Constants of the arithmetic"
RIDGE = 0.1
LEAST_PARTS = 4  # with fewer parts a window says little that the core does not
MATURE_ROWS = 4_000.0  # learnt rows from which its weight is the configured one
UNREAD_STRIDE = 4
STRIDE = 4  # of an old Gaussian's rows, which are much like one another, one in so many


class WindowScorer(SharedScorer):
    """Running Gaussians over the residuals of windows, with the core's entries and gate.

    Where a modality has no windows, or fewer than four parts, it is silent: every score is 0 and
    weighs nothing.

    Args:
        block_sizes: Rows of each block of a window, oldest first; none where there are no windows.
        num_parts: P.
        max_features: Longer residuals go through a seeded projection to this size.
        seed: Seed of projections.

    Attributes:
        basis: The usual shapes; None where it is silent.
    """

    grows = True

    def __init__(
        self,
        *,
        block_sizes: tuple[int, ...],
        num_parts: int,
        max_features: int = 256,
        seed: int = 0,
    ) -> None:
        self.num_parts = num_parts
        self.basis: WindowBasis | None = None
        if block_sizes and num_parts >= LEAST_PARTS:
            self.basis = WindowBasis(
                block_sizes=block_sizes, num_parts=num_parts, max_features=max_features, seed=seed
            )
        num_residuals = self.basis.num_residuals if self.basis else 1
        self.bank = GaussianBank(num_features=num_residuals, ridge=RIDGE)

    @classmethod
    def build(cls, config: ScorersConfig, sizes: ScorerSizes) -> Self:
        """A scorer that has seen nothing."""
        return cls(
            block_sizes=sizes.block_sizes,
            num_parts=sizes.num_parts,
            max_features=config.max_features,
            seed=sizes.seed,
        )

    def block_read(self, *, is_read: bool) -> BlockRead:
        """What is read of windows: residuals, once there are usual shapes and if anyone asks."""
        if self.basis is None:
            return BlockRead(0, None)
        read = self.basis.residuals if is_read and self.basis.solved else None
        return BlockRead(self.basis.num_residuals, read)

    def score(self, seen: Seen[Any]) -> FloatArray:
        """`[B]` rms(L^-1 z): distance to the residuals that are usual for the row's entry.

        It is 0 until 256 residuals have been learned.
        """
        if self.basis is None:
            return np.zeros(len(seen))
        entry_B, ready_B = self._entries(seen)
        return self.bank.distances(tile_rows(entry_B), seen.window_BR) * ready_B

    def maturity(self, seen: Seen[Any], learnt_B: IntArray) -> FloatArray:
        """`[B]` min(1, n / 4000) of n rows learnt, by the key and by this scorer."""
        if self.basis is None:
            return np.zeros(len(seen))
        rows_B = np.minimum(learnt_B, self.basis.rows)
        return np.minimum(rows_B / MATURE_ROWS, 1.0) * self._entries(seen)[1]

    def _entries(self, seen: Seen[Any]) -> tuple[IntArray, BoolArray]:
        """The rows' entries, the shared one in place of young ones; and which know enough."""
        fitted_E = self.bank.fitted(FITTED_ROWS)
        entry_B = np.where(fitted_E[seen.measured.entry_B], seen.measured.entry_B, 0)
        return entry_B, fitted_E[entry_B]

    def contributions(self, seen: Seen[Any]) -> FloatArray:
        """`[A, P]` c_p / (F s^2): share of the squared distance that a part explains."""
        if self.basis is None:
            return np.zeros((len(seen), self.num_parts))
        entry_A, _ = self._entries(seen)
        return self.bank.shares(entry_A, seen.window_BR, self.num_parts, self.basis.projection)

    def learn(self, seen: Seen[Any], admitted: Admitted, generator: np.random.Generator) -> None:  # noqa: ARG002 - the interface's
        """Learn what the gate let through: the residuals of all rows, the blocks of a sample."""
        if self.basis is None:
            return
        self._reset_moved(admitted)
        if self.basis.solved:
            self._learn_rows(seen, admitted, 1 if self.basis.rows < MATURE_ROWS else STRIDE)
        self.basis.learn(admitted.blocks_NSP, int(admitted.learn_B.sum()))

    def _reset_moved(self, admitted: Admitted) -> None:
        """Entries that went to other keys begin with what all keys have learned."""
        self.bank.ensure(admitted.num_entries)
        size = self.bank.num_features
        for entry in admitted.moved.tolist():
            self.bank.seed_entry(entry, np.zeros(size), np.ones(size))

    def _learn_rows(self, seen: Seen[Any], admitted: Admitted, stride: int) -> None:
        """Learn rows for all keys (a part of them, while nobody reads those) and for owners.

        Args:
            seen: An epoch's rows.
            admitted: What of them may be learned.
            stride: One row in so many is learned, with the weight of all.
        """
        learn_B, own_B = admitted.learn_B, admitted.own_B
        read = bool((seen.measured.entry_B == 0).any() or (own_B == 0).any())
        shared = np.flatnonzero(learn_B)[:: stride if read else max(stride, UNREAD_STRIDE)]
        owned = np.flatnonzero(learn_B & (own_B > 0))[::stride]
        for rows, entry_B, refresh in (
            (shared, np.zeros_like(shared), read),
            (owned, own_B[owned], True),
        ):
            weight_B = np.full(len(rows), float(stride))
            self.bank.learn(entry_B, seen.window_BR[rows], weight_B, refresh=refresh)

    def per_key(self) -> list[KeyColumns]:
        """No column: which key owns which entry is the ensemble's to know."""
        return []

    def bytes_per_own_key(self) -> int:
        """Bytes of one entry."""
        return self.bank.bytes_per_entry() if self.basis else 0

    def state_dict(self) -> dict[str, Any]:
        """The shapes, and the Gaussians of all entries."""
        if self.basis is None:
            return {}
        return {"basis": self.basis.state_dict(), "bank": self.bank.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over shapes and Gaussians; a state of before there were any has none."""
        if self.basis is None or not state:
            return
        self.basis.load_state_dict(state["basis"])
        self.bank.load_state_dict(state["bank"])
