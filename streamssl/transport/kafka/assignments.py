"""Which partitions this instance holds, and in which incarnation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from kafka import ConsumerRebalanceListener, TopicPartition


class Assignments(ConsumerRebalanceListener):  # type: ignore[misc]  # untyped library
    """Counts a partition's assignments; the callbacks only set flags.

    They run on the client's I/O thread, where no request may be made and any delay stalls the
    heartbeat. Each replaces the whole mapping, so that readers never see half a change.
    """

    def __init__(self) -> None:
        self._held: Mapping[int, int] = {}
        self._times: dict[int, int] = {}
        self._lost: Set[tuple[int, int]] = frozenset()

    def held(self) -> Mapping[int, int]:
        """Partitions held now, each with its incarnation (from 1)."""
        return self._held

    def lost(self) -> Set[tuple[int, int]]:
        """(partition, incarnation) that ended with the membership, not by a rebalance."""
        return self._lost

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """A new incarnation of each begins."""
        partitions = [p.partition for p in assigned]
        for partition in partitions:
            self._times[partition] = self._times.get(partition, 0) + 1
        self._held = {**self._held, **{p: self._times[p] for p in partitions}}

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """The incarnation of each has ended."""
        gone = {p.partition for p in revoked}
        self._held = {p: i for p, i in self._held.items() if p not in gone}

    def on_partitions_lost(self, lost: Iterable[TopicPartition]) -> None:
        """The group moved on without us."""
        gone = {p.partition for p in lost}
        self._lost = {*self._lost, *((p, i) for p, i in self._held.items() if p in gone)}
        self.on_partitions_revoked(lost)
