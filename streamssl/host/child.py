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
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from streamssl.arithmetic.allocator import keep_freed_memory
from streamssl.config.root import Config
from streamssl.data.events import EventBatch, StreamsslError
from streamssl.data.results import Decisions
from streamssl.host.answer import AnswerHeader
from streamssl.host.base import Closed, OnCorruption
from streamssl.host.frames import receive, send
from streamssl.host.local import LocalHost
from streamssl.host.openings import packed
from streamssl.stream import StreamLearner
from streamssl.telemetry import setup_logging
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
Answer = tuple[Any, AnswerHeader]


def _advance(host: LocalHost, batch: dict[str, Any]) -> dict[str, Any]:
    # Without the batch, which the engine's process has.
    results = host.submit(EventBatch.from_plain(batch)).result()
    columns = {f.name: getattr(results, f.name) for f in fields(results) if f.name != "batch"}
    return columns | {"opening": packed(results.opening)}


def _close_epoch(host: LocalHost, *decisions: Any) -> Closed:
    return host.close_epoch(Decisions(*decisions)).result()


def _rebuild(host: LocalHost, partition: int, batch: dict[str, Any] | None) -> None:
    host.rebuild(partition, None if batch is None else EventBatch.from_plain(batch))


def _restore(host: LocalHost, directory: str, on_corruption: OnCorruption) -> list[Any] | None:
    found = host.restore(Path(directory), on_corruption)
    return None if found is None else [str(found.path), found.engine]


def _save(host: LocalHost, directory: str, keep: int) -> None:
    host.save(Path(directory), keep)


# What may be asked for, each with its arguments as plain values.
REQUESTS: dict[str, Callable[..., Any]] = {
    "build": lambda host: dict(host.build()),
    "advance": _advance,
    "close_epoch": _close_epoch,
    "rebuild": _rebuild,
    "discard": LocalHost.discard,
    "skip_to": LocalHost.skip_to,
    "spread": lambda host: host.spread().result(),
    "restore": _restore,
    "carry_keys": LocalHost.carry_keys,
    "remember": LocalHost.remember,
    "save": _save,
    "finish_saving": lambda host: host.saved(wait=True),
    "status": lambda _: None,  # Every answer tells it.
}


def answer(host: LocalHost, request: list[Any]) -> Answer:
    """Do one request, which is its name and its arguments."""
    name, *arguments = request
    try:
        value = REQUESTS[name](host, *arguments)
    except StreamsslError as error:
        return None, AnswerHeader.refusal(error)
    return value, AnswerHeader(
        status=host.status,
        remember_s=host.remember_s,
        stage_times=host.stage_times(),
        written=host.saved(),
    )


def serve(connection: socket.socket) -> None:
    """Answer until the other side is gone."""
    requests: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
    config = Config.model_validate(receive(connection))
    setup_logging(config.telemetry.log_level)
    threading.Thread(target=_listen, args=(connection, requests), daemon=True).start()
    try:
        learner = StreamLearner(config, statistics_thread=False)
    except StreamsslError as error:
        send(connection, (None, AnswerHeader.refusal(error)))  # Whatever was asked.
        return
    host = LocalHost(learner, background_save=True)
    while True:
        send(connection, answer(host, requests.get()))


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
    keep_freed_memory()
    try:
        serve(socket.socket(fileno=int(sys.argv[1])))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except Exception:
        tell(log, "defect", with_traceback=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
