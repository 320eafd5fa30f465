"""What a demo plays in: a way in, a way out, and the daemon between them."""

from __future__ import annotations

from typing import Protocol

from streamssl.data.events import Message


class Scene(Protocol):
    """One input topic, the daemon on it, and an independent reader of its output topics.

    Attributes:
        broker: What carries the events, None where nothing outside this process does.
        scores_topic: Topic with the results.
        replay_max_bytes: Size of the daemon's replay buffer.
    """

    broker: str | None
    scores_topic: str
    replay_max_bytes: int

    def ready(self) -> bool:
        """Whether the daemon processes events."""

    def send(self, key: bytes, value: bytes) -> None:
        """Put one event into the input."""

    def flush(self) -> None:
        """Wait until every event sent is in the input."""

    def poll(self, timeout_s: float) -> list[tuple[str, list[Message]]]:
        """New output records: (topic, records of one partition in order)."""

    def exposition(self) -> str:
        """The daemon's metrics as Prometheus text, empty while it gives none."""

    def last_words(self) -> str | None:
        """What the daemon said before it died, None while it lives."""

    def stop_daemon(self) -> None:
        """End the daemon in order; what it has committed can still be read."""

    def close(self) -> None:
        """End and remove everything."""
