"""From the client into a stash: fair between partitions, bounded, and without `pause()`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kafka import errors

from streamssl.data.events import Message
from streamssl.transport.base import FencedError
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.clients.base import (
    GroupConsumer,
    NoPositionError,
    OutOfRangeError,
)
from streamssl.transport.kafka.patience import TROUBLE, Patience
from streamssl.transport.kafka.positions import Positions
from streamssl.transport.kafka.stash import Stash

STASH_MESSAGES, STASH_BYTES = 50_000, 32 * 2**20
PUMP_MESSAGES = 200
# How long the other partitions are looked for once something came: the broker answers a fetch
# of idle partitions within `FETCH_WAIT_MS`.
LOOK_S = 0.05
PROBE_INTERVAL_S, PROBE_S = 2.0, 1.0


class Receiver:
    """Records that the client gave and nobody has taken yet.

    The client itself drains one partition after the other; here each keeps its own. Back-pressure
    comes from receiving only while the stash has room, never from `pause()`, which can lose a
    partition for good.

    Args:
        consumer: The group's consumer.
        assignments: Partitions held now.
        positions: Decides where a partition without a valid position goes on.
        patience: Told about trouble.
    """

    def __init__(
        self,
        consumer: GroupConsumer,
        *,
        assignments: Assignments,
        positions: Positions,
        patience: Patience,
    ) -> None:
        self._consumer = consumer
        self._assignments = assignments
        self._positions = positions
        self._patience = patience
        self._stash = Stash()
        self._stashed: dict[int, int] = {}
        self._probe_at = 0.0

    def fill(self, chunk: int, timeout_s: float) -> None:
        """Receive until every partition held has something waiting, or nothing comes.

        Once there is something, others are waited for only where they have a backlog, and not
        for long.

        Raises:
            FencedError: Another process joined the group as this instance.
            TopicUnreadableError: Waiting does not make the next records readable.
            TransportUnavailableError: Waiting does not mend what the broker refuses.
        """
        deadline = time.monotonic() + timeout_s
        looking = False
        while True:
            held = self._follow()
            if self._full():
                return
            if self._stash.num_messages and not looking:
                looking, deadline = True, min(deadline, time.monotonic() + LOOK_S)
            wait_s = 0.0 if looking else max(0.0, deadline - time.monotonic())
            came = self._receive(wait_s, chunk)
            if held and self._stash.counts().keys() >= held.keys():
                return
            waiting = came or not self._stash.num_messages or self._is_behind(held)
            if time.monotonic() >= deadline or not waiting:
                return

    def counts(self) -> Mapping[int, int]:
        """Messages that wait, of the partitions where any do."""
        return self._stash.counts()

    def next(self, partition: int) -> tuple[int, int]:
        """Incarnation under which a partition's next message came, and its offset."""
        first = self._stash.first(partition)
        assert first is not None, "asked of a partition where nothing waits"
        return self._stashed[partition], first

    def take(self, partition: int, count: int) -> list[Message]:
        """The next `count` messages of a partition, or as many as wait."""
        return self._stash.take(partition, count)

    def drop(self, partition: int) -> None:
        """Forget what waits of a partition."""
        self._stash.drop(partition)

    def pump(self) -> None:
        """One short poll, whatever waits already; a full stash is given back, and read again."""
        self._follow()
        if self._full():
            self._give_back()
        self._receive(0.02, PUMP_MESSAGES)

    def close(self, timeout_s: float) -> None:
        """Close the client."""
        self._consumer.close(timeout_s)

    def lag_of(self, partition: int) -> int | None:
        """Messages of a partition that nobody has taken, None while its end is not known."""
        try:
            end = self._consumer.known_end(partition)
            first = self._stash.first(partition)
            position = first if first is not None else self._consumer.position(partition)
        except TROUBLE:
            return None
        return None if end is None or position is None else max(0, end - position)

    def _is_behind(self, held: Mapping[int, int]) -> bool:
        """Whether a partition of which nothing waits has messages, or may have (just begun)."""
        return any(self.lag_of(p) != 0 for p in held.keys() - self._stash.counts().keys())

    def _receive(self, timeout_s: float, max_records: int) -> bool:
        try:
            found = self._consumer.poll(timeout_s, max_records)
            self._follow()
        except errors.FencedInstanceIdError as error:
            raise FencedError("another process joined the group as this instance") from error
        except NoPositionError as error:
            return self._guarded(self._begin, error.partitions)
        except OutOfRangeError as error:
            return self._guarded(self._expired, error.positions)
        except TROUBLE as error:
            self._patience.endure(error)
            return False
        for partition, messages in found.items():
            self._stash.put(partition, messages)
            self._stashed[partition] = self._assignments.held().get(partition, 0)
        if found:
            self._patience.well()
        else:
            self._probe()
        return bool(found)

    def _guarded(self, decide: Any, about: Any) -> bool:
        try:
            decide(about)
        except TROUBLE as error:
            self._patience.endure(error)
        return False

    def _follow(self) -> Mapping[int, int]:
        """Forget what was stashed under an incarnation that has ended."""
        held = self._assignments.held()
        for partition in list(self._stashed):
            if held.get(partition) != self._stashed[partition]:
                self._stash.drop(partition)
                del self._stashed[partition]
        return held

    def _full(self) -> bool:
        stash = self._stash
        return stash.num_messages >= STASH_MESSAGES or stash.num_bytes >= STASH_BYTES

    def _give_back(self) -> None:
        for partition in self._stash.counts():
            first = self._stash.first(partition)
            self._stash.drop(partition)
            if first is not None:
                self._consumer.seek(partition, first)

    def _probe(self) -> None:
        """An idle stream and a broker that is away look the same: ask now and then."""
        now = time.monotonic()
        if now < self._probe_at:
            return
        self._probe_at = now + PROBE_INTERVAL_S
        try:
            self._consumer.newest([0], PROBE_S)
            self._patience.well()
        except TROUBLE as error:
            self._patience.endure(error)

    def _begin(self, fresh: Any) -> None:
        if self._consumer.is_stable():  # or else the rebalance decides first whose they are
            self._positions.begin(fresh)

    def _expired(self, positions: Mapping[int, int]) -> None:
        for partition, position in positions.items():
            # What is stashed comes first; the client will report the gap again.
            if self._stash.first(partition) is None:
                self._positions.skip_expired(partition, position)
