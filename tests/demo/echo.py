"""A scene without a daemon: every event comes back as a result, or as the test orders."""

from __future__ import annotations

import threading
import time

import msgspec

from streamssl.data.events import Message
from streamssl.devkit.delivery import Acknowledged

EXPOSITION = 'streamssl_learn_steps_total{outcome="applied"} 12\n'


class EchoScene:
    """Gives a result for every event, at once.

    Args:
        acknowledged: Told of every event.
        lose: Offsets whose result never comes.
        repeat: Offsets whose result comes twice.
        dead: Offsets that become dead letters.
        dies_at: Offset at which the daemon dies.
    """

    broker: str | None = "echo"
    scores_topic = "demo.scores"
    replay_max_bytes = 100

    def __init__(
        self,
        acknowledged: Acknowledged,
        *,
        lose: frozenset[int] = frozenset(),
        repeat: frozenset[int] = frozenset(),
        dead: frozenset[int] = frozenset(),
        dies_at: int | None = None,
    ) -> None:
        self._acknowledged = acknowledged
        self._lose, self._repeat, self._dead = lose, repeat, dead
        self._dies_at = dies_at
        self._lock = threading.Lock()
        self._queue: list[tuple[str, list[Message]]] = []
        self._num_sent = self._num_asked = 0
        self.stopped = self.closed = False

    def ready(self) -> bool:
        self._num_asked += 1
        return self._num_asked > 2

    def send(self, key: bytes, value: bytes) -> None:
        assert value.startswith(b"{")
        offset = self._num_sent
        self._num_sent += 1
        self._acknowledged(0, offset, time.time())
        if self.last_words() is None and offset not in self._lose:
            records = [self._record(offset, key)] * (2 if offset in self._repeat else 1)
            with self._lock:
                self._queue += [(topic, [message]) for topic, message in records]

    def flush(self) -> None:
        """Nothing is under way."""

    def poll(self, timeout_s: float) -> list[tuple[str, list[Message]]]:
        time.sleep(min(timeout_s, 0.005))
        with self._lock:
            found, self._queue = self._queue, []
        return found

    def exposition(self) -> str:
        return "" if self.stopped else EXPOSITION

    def last_words(self) -> str | None:
        died = self._dies_at is not None and self._num_sent > self._dies_at
        return "the daemon ended with exit code 9" if died else None

    def stop_daemon(self) -> None:
        self.stopped = True

    def close(self) -> None:
        self.closed = True

    def _record(self, offset: int, key: bytes) -> tuple[str, Message]:
        if offset in self._dead:
            headers = (("origin_partition", b"0"), ("origin_offset", b"%d" % offset))
            return "demo.dlq", Message(0, offset, key, b"", headers=headers)
        score = {
            "id": f"demo.events/0/{offset}/0",
            "key": key.decode(),
            "event_time": float(offset),
            "anomaly": False,
            "incident_id": None,
            "top_field": "rpm",
        }
        return self.scores_topic, Message(0, offset, key, msgspec.json.encode(score))
