"""What kafka-python 3.0.12 gets wrong where a group is joined again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

# How soon a poll that waits sees that the join has ended.
TURN_S = 0.005


class HeldPartitionsAssignor(CooperativeStickyAssignor):  # type: ignore[misc]  # untyped library
    """Claims, on joining, what is held now.

    The client claims what it was assigned last, even where its membership ended since and the
    partitions went to another. The group's leader may believe the wrong one of the two: a process
    that had been frozen was given its old partitions while their new owner still wrote.

    Args:
        topic: Input topic.
        held: Partitions held now.
    """

    def __init__(self, topic: str, held: Callable[[], Iterable[int]]) -> None:
        super().__init__()
        self._topic = topic
        self._held = held

    def metadata(self, topics: Iterable[str]) -> Any:
        """What this member tells the group's leader."""
        self.member_assignment = [TopicPartition(self._topic, p) for p in sorted(self._held())]
        return super().metadata(topics)


class DeferredJoins:
    """Keeps kafka-python from throwing a rebalance away, and from hiding a loss in one.

    The client joins a group on its I/O thread. If that ends while no `poll` is waiting for it,
    the next `poll` discards the result and joins once more; where this member leads the group,
    that begins another rebalance for everybody. Short polls with work between them (ours) went
    on like that for minutes, owning nothing. So the result is held back until a poll is there.

    The client looks only when a rebalance begins whether its membership was lost. If the group
    expels it later, while it tries to join, it joins anew without `on_partitions_lost`: what
    it held, perhaps another's meanwhile, would pass for held without a break. So every attempt
    to join looks.

    Args:
        consumer: A consumer that has not joined yet.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._coordinator = coordinator = consumer._coordinator
        self._join = coordinator._do_join_and_sync_async
        self._sleep = coordinator._net.sleep
        self._polling = False
        coordinator._do_join_and_sync_async = self._join_and_wait

    @contextmanager
    def polling(self) -> Iterator[None]:
        """Within this a `poll` takes what has finished."""
        self._polling = True
        try:
            yield
        finally:
            self._polling = False

    async def _join_and_wait(self) -> Any:
        coordinator = self._coordinator
        if coordinator._generation.is_lost():
            await coordinator._on_join_prepare_async(-1, "")
        assignment = await self._join()
        while not self._polling:
            await self._sleep(TURN_S)
        return assignment
