"""Where each partition begins and goes on; `auto_offset_reset` is decided here."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from streamssl.telemetry.log_events import tell
from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka.group_consumer import GroupConsumer

log = logging.getLogger(__name__)


@dataclass
class Cursor:
    """Where the engine is in one incarnation of a partition."""

    incarnation: int
    next: int
    missed: tuple[int, int] | None = None


class PartitionCursors:
    """Where each partition held goes on, and what was missed before.

    Args:
        consumer: The group's consumer.
        topic: Input topic.
        at_end: Partitions that begin at their end where the group has no position: those that
            were there before the group began (`input.start: latest`). Any other has appeared
            since, and begins at its first message.
        held: Partitions held now, each with its incarnation.
        commit: Commits positions under the membership that stands.
    """

    def __init__(
        self,
        consumer: GroupConsumer,
        *,
        topic: str,
        at_end: Set[int],
        held: Callable[[], Mapping[int, int]],
        commit: Callable[[Mapping[int, int]], None],
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._at_end = at_end
        self._held = held
        self._commit = commit
        self._cursors: dict[int, Cursor] = {}

    def cursor(self, partition: int, incarnation: int, first: int) -> Cursor:
        """The cursor of an incarnation whose first message is at `first`."""
        cursor = self._cursors.get(partition)
        if cursor is None or cursor.incarnation != incarnation:
            # Not the first message's offset: markers of transactions may come before it.
            start = self._consumer.committed(partition)
            cursor = Cursor(incarnation, first if start is None else start)
            self._cursors[partition] = cursor
        return cursor

    def begin(self, fresh: Set[int]) -> None:
        """The group has no committed position: begin at the end (`at_end`) or the first message.

        The choice is committed before anything is taken: whoever holds the partition next goes
        on there, and would otherwise begin at an end that lies further on.
        """
        found = self._consumer.newest(fresh & self._at_end) if fresh & self._at_end else {}
        if fresh - self._at_end:
            found |= self._consumer.oldest(fresh - self._at_end)
        chosen = {p: offset for p, offset in found.items() if p in self._held()}
        if chosen:
            self._commit(chosen)
            tell(log, "partitions_begin", positions=chosen)
        for partition, offset in chosen.items():
            self._seek(partition, offset, missed=None)

    def resume(self, partition: int, incarnation: int, offset: int) -> None:
        """Go on at `offset`, unless the incarnation has ended."""
        if self._held().get(partition) == incarnation:
            self._seek(partition, offset, missed=None)

    def skip_expired(self, partition: int, position: int) -> None:
        """Go on at the oldest message kept, and say what was missed.

        Raises:
            TransportUnavailableError: The position lies beyond the end of the topic.
        """
        oldest = self._consumer.oldest([partition])[partition]
        end = self._consumer.newest([partition])[partition]
        if position < oldest:
            self._seek(partition, oldest, missed=(position, oldest))
        elif position > end:
            raise TransportUnavailableError(
                f"partition {partition} of {self._topic} ends at {end}, before the committed "
                f"position {position}: the topic was made anew or lost its end; use another "
                "app.name, or delete the group's positions and the state directory"
            )

    def _seek(self, partition: int, offset: int, missed: tuple[int, int] | None) -> None:
        incarnation = self._held().get(partition)
        if incarnation is not None:
            self._consumer.seek(partition, offset)
            self._cursors[partition] = Cursor(incarnation, offset, missed)
