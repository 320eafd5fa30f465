"""One partition of a topic inside the process."""

from __future__ import annotations

from bisect import bisect_left

from streamssl.data.events import Message


class Log:
    """One partition: messages by offset, of which the oldest may have expired."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.offsets: list[int] = []
        self.beginning = 0
        self.end = 0

    def append(self, message: Message) -> None:
        """Add a message at the log's end."""
        self.messages.append(message)
        self.offsets.append(message.offset)
        self.end = message.offset + 1

    def span(self, start: int, stop: int | None = None) -> slice:
        """Where the messages of `[start, stop)` lie."""
        first = bisect_left(self.offsets, start)
        return slice(first, None if stop is None else bisect_left(self.offsets, stop))

    def expire(self, before: int) -> None:
        """Forget messages before an offset."""
        self.beginning = min(max(self.beginning, before), self.end)
        gone = slice(0, bisect_left(self.offsets, self.beginning))
        del self.messages[gone], self.offsets[gone]
