"""Which partitions this instance holds, and in which incarnation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set


class Assignments:
    """Counts a partition's assignments; only sets flags, so that any thread may call it.

    kafka-python's callbacks run on the client's I/O thread, where no request may be made and
    any delay stalls the heartbeat. Each replaces the whole mapping, so that readers never see
    half a change.
    """

    def __init__(self) -> None:
        self._held: Mapping[int, int] = {}
        self._num_assigned: dict[int, int] = {}
        self._lost: Set[tuple[int, int]] = frozenset()

    def held(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation (from 1)."""
        return self._held

    def lost(self) -> Set[tuple[int, int]]:
        """(partition, incarnation) that ended with the membership, not by a rebalance."""
        return self._lost

    def assign(self, partitions: Iterable[int]) -> None:
        """A new incarnation of each begins."""
        fresh = list(partitions)
        for partition in fresh:
            self._num_assigned[partition] = self._num_assigned.get(partition, 0) + 1
        self._held = {**self._held, **{p: self._num_assigned[p] for p in fresh}}

    def revoke(self, partitions: Iterable[int]) -> None:
        """The incarnation of each has ended."""
        gone = set(partitions)
        self._held = {p: i for p, i in self._held.items() if p not in gone}

    def lose(self, partitions: Iterable[int]) -> None:
        """The membership has ended: the group moved on without us."""
        gone = set(partitions)
        self._lost = {*self._lost, *((p, i) for p, i in self._held.items() if p in gone)}
        self.revoke(gone)
