"""A daemon that a scenario may freeze, kill and measure, the learner's process included."""

from __future__ import annotations

import math
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos.freezing import Freezable
from benchmarks.chaos.vitals import Vitals, vitals
from streamssl.devkit.daemon import DaemonProcess
from streamssl.telemetry.server import NUM_THREADS

# What `run` promises of a drain.
DRAIN_S = 20.0


class Worker(DaemonProcess, Freezable):
    """A process of the command line, with its state in a folder; a `with` block ends with -9.

    Args:
        arguments: Of the command line.
        state_dir: Where its state is.
        process: As `DaemonProcess` takes it.

    Attributes:
        state_dir: Where its state is.
    """

    drain_s = DRAIN_S

    def __init__(self, *arguments: str, state_dir: Path, **process: Any) -> None:
        self.state_dir = state_dir
        super().__init__(*arguments, **process)

    def __exit__(self, *error: Any) -> None:
        """Whatever ends the body, the process does not live on, and gets no time for a drain."""
        self.end()
        super().__exit__(*error)

    def freeze(self) -> None:
        """Stop it where it stands, the learner's process included."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let both processes go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def begin_all_threads(self) -> None:
        """Have telemetry begin all its threads; else it does whenever several ask at once."""
        host, port = self.address().rsplit(":", 1)
        with ExitStack() as held:
            for _ in range(NUM_THREADS):
                held.enter_context(socket.create_connection((host, int(port)), timeout=2))
            time.sleep(1.0)  # a connection that asks nothing takes a thread

    def num_held(self) -> int:
        """Partitions that it holds; -1 where it does not answer."""
        return int(self.figure("partitions_assigned", absent=-1))

    def lag(self) -> int:
        """Messages that it has not processed yet, as it says; -1 where it does not say."""
        lag = self.figure("input_lag_records", absent=-1)
        return -1 if math.isnan(lag) else int(lag)

    def num_taken(self) -> int:
        """Messages that it is done with, as it says; 0 where it does not answer."""
        return int(self.figure("input_events_total"))

    @contextmanager
    def learner_frozen(self) -> Iterator[None]:
        """The learner's process stopped where it stands while the body runs, the engine's not."""
        (learner,) = psutil.Process(self.pid).children()
        learner.suspend()
        try:
            yield
        finally:
            learner.resume()

    def vitals(self) -> Vitals:
        """What it and the learner's process hold, together."""
        return vitals(self.pid)

    def is_draining(self) -> bool:
        """Whether it has said that it drains."""
        return '"draining"' in self.log_path.read_text()


def end_all(workers: Iterable[Worker]) -> None:
    """Whatever ended a scenario, none of its processes lives on."""
    for worker in workers:
        worker.end()


def until(holds: Callable[[], bool], limit_s: float, pace_s: float = 0.1) -> bool:
    """Wait for something; whether it came in time."""
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pace_s)
    return True
