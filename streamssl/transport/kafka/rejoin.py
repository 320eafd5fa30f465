"""A finished rebalance waits for the poll that takes part in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer

TURN_S = 0.005


class KeptJoins:
    """Keeps kafka-python 3.0.12 from throwing a finished rebalance away.

    The client joins a group on its I/O thread. If that ends while no `poll` is waiting for it,
    the next `poll` discards the result and joins once more; where this member leads the group,
    that begins another rebalance for everybody. Short polls with work between them (ours) went
    on like that for minutes, owning nothing. So the result is held back until a poll is there.

    Args:
        consumer: A consumer that has not joined yet.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        coordinator = consumer._coordinator
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
        assignment = await self._join()
        while not self._polling:
            await self._sleep(TURN_S)
        return assignment
