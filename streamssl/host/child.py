"""The learner's process: does what it is asked for, in order, until nobody asks any more.

It has no broker, no port and no files but checkpoints, and it ends with the process that started
it: by the end of their connection, and on Linux by the kernel's own signal.
"""

from __future__ import annotations

import ctypes
import logging
import os
import queue
import signal
import socket
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

from streamssl.config.root import Config
from streamssl.data.events import EventBatch, StreamsslError
from streamssl.data.results import Decisions
from streamssl.host.frames import receive, send
from streamssl.host.local import LocalHost
from streamssl.host.mirror import Mirror
from streamssl.stream import StreamLearner
from streamssl.telemetry import setup_logging

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1


class Service:
    """Answers requests on a learner.

    Args:
        config: The learner's.
    """

    def __init__(self, config: Config) -> None:
        self._learner = StreamLearner(config, beside=False)
        self._host = LocalHost(self._learner, beside=True)

    def answer(self, request: list[Any]) -> Any:
        """The value, mirror and error of one request: its name and its arguments."""
        name, *arguments = request
        try:
            value = getattr(self, name)(*arguments)
        except StreamsslError as error:
            return refusal(error)
        return value, self._mirror(), None

    def build(self) -> dict[str, str | None]:
        """As `Host.build`."""
        return dict(self._host.build())

    def advance(self, batch: dict[str, Any]) -> Any:
        """Results without their batch."""
        results = self._host.advance(EventBatch.from_plain(batch))
        return {f.name: getattr(results, f.name) for f in fields(results) if f.name != "batch"}

    def rebuild(self, partition: int, batch: dict[str, Any] | None) -> None:
        """As `Learner.rebuild`."""
        self._host.rebuild(partition, None if batch is None else EventBatch.from_plain(batch))

    def discard(self, partition: int, from_offset: int) -> None:
        """As `Learner.discard`."""
        self._host.discard(partition, from_offset)

    def close_epoch(self, *decisions: Any) -> Any:
        """As `Host.begin_close`."""
        return self._host.begin_close(Decisions(*decisions))()

    def skip_to(self, epoch: int) -> None:
        """Open another epoch."""
        self._host.epoch = epoch

    def restore(self, directory: str, on_corruption: Any) -> Any:
        """Path and engine part of what was taken over."""
        found = self._host.restore(Path(directory), on_corruption)
        return None if found is None else [str(found.path), found.engine]

    def remember(self, engine: dict[str, Any], journal: int) -> None:
        """As `Host.remember`."""
        self._host.remember(engine, journal)

    def save(self, directory: str, keep: int) -> None:
        """As `Host.save`."""
        self._host.save(Path(directory), keep)

    def finish_saving(self) -> list[tuple[int, int, float]]:
        """Wait for the checkpoint that is being written."""
        return self._written(wait=True)

    def look(self) -> None:
        """Nothing but the mirror."""

    def _mirror(self) -> Mirror:
        learner = self._learner
        return Mirror(
            epoch=learner.epoch,
            schema=learner.schema,
            num_open_events=learner.num_open_events,
            target=learner.target(),
            next_target=learner.next_target(),
            state_crc32c=learner.state_crc32c(),
            remember_s=self._host.remember_s,
            took=self._host.took(),
            written=self._written(),
        )

    def _written(self, *, wait: bool = False) -> list[tuple[int, int, float]]:
        return [(w.journal, w.num_bytes, w.seconds) for w in self._host.saved(wait=wait)]


def refusal(error: StreamsslError) -> Any:
    """The answer to a request that an error prevented."""
    return None, None, (error.exit_code, str(error))


def serve(connection: socket.socket) -> None:
    """Answer until the other side is gone."""
    requests: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    config = Config.model_validate(receive(connection))
    setup_logging(config.telemetry.log_level)
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    try:
        service = Service(config)
    except StreamsslError as error:
        send(connection, refusal(error))  # Whatever was asked.
        return
    while True:
        send(connection, service.answer(requests.get()))


def _listen(connection: socket.socket, requests: queue.SimpleQueue[list[Any]]) -> None:
    """Take requests in at once: who asks never waits while an answer waits for him."""
    while True:
        try:
            requests.put(receive(connection))
        except (EOFError, OSError):
            os._exit(0)  # Whatever is under way, nobody wants it any more.


def main() -> None:
    """Entry of the process; its argument is the file descriptor of the connection."""
    for number in (signal.SIGINT, signal.SIGTERM):  # The engine's process decides when to end.
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        serve(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception:
        log.exception("unexpected error in the learner's process: please report it")
        sys.exit(1)


if __name__ == "__main__":
    main()
