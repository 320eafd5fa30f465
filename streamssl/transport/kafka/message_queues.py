"""Queues of messages, one a partition, in offset order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import takewhile

from streamssl.data.events import Message


class MessageQueues:
    """One queue a partition; how many messages and bytes are in all of them is known."""

    def __init__(self) -> None:
        self._messages: dict[int, deque[Message]] = {}
        self.num_messages = 0
        self.num_bytes = 0

    def counts(self) -> Mapping[int, int]:
        """Messages that wait, of the partitions where any do."""
        return {p: len(messages) for p, messages in self._messages.items()}

    def put(self, partition: int, messages: Iterable[Message]) -> None:
        """Add messages after those that wait already."""
        fresh = list(messages)
        self._messages.setdefault(partition, deque()).extend(fresh)
        self.num_messages += len(fresh)
        self.num_bytes += _size(fresh)

    def first(self, partition: int) -> int | None:
        """Offset of the message that is taken next, None where none waits."""
        messages = self._messages.get(partition)
        return messages[0].offset if messages else None

    def last(self, partition: int) -> int | None:
        """Offset of the newest message, None where none waits."""
        messages = self._messages.get(partition)
        return messages[-1].offset if messages else None

    def take(self, partition: int, count: int) -> list[Message]:
        """The next `count` messages, or as many as wait."""
        messages = self._messages.get(partition, deque())
        taken = [messages.popleft() for _ in range(min(count, len(messages)))]
        if not messages:
            self._messages.pop(partition, None)
        self.num_messages -= len(taken)
        self.num_bytes -= _size(taken)
        return taken

    def take_below(self, partition: int, stop: int) -> list[Message]:
        """The next messages whose offsets are below `stop`."""
        messages = self._messages.get(partition, deque())
        return self.take(partition, sum(1 for _ in takewhile(lambda m: m.offset < stop, messages)))

    def drop(self, partition: int) -> None:
        """Forget what waits of a partition."""
        self.take(partition, len(self._messages.get(partition, ())))


def _size(messages: list[Message]) -> int:
    return sum(len(m.value or b"") + len(m.key or b"") for m in messages)
