"""What an instance holds and has used: the engine's process and the learner's, together."""

from __future__ import annotations

import time
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Vitals:
    """Of a process and all that it started, at one moment.

    Attributes:
        at_s: When, on a clock that only grows.
        memory_mb: Resident memory; pages that two of the processes share count twice.
        cpu_s: Time on a processor so far.
        files: Open file descriptors.
        threads: Threads.
        processes: Processes.
    """

    at_s: float
    memory_mb: float
    cpu_s: float
    files: int
    threads: int
    processes: int


def vitals(pid: int) -> Vitals:
    """Measure a process with its descendants.

    Raises:
        psutil.NoSuchProcess: It has ended, or one of them just did.
    """
    root = psutil.Process(pid)
    family = [root, *root.children(recursive=True)]
    times = [process.cpu_times() for process in family]
    return Vitals(
        at_s=time.monotonic(),
        memory_mb=sum(process.memory_info().rss for process in family) / 1e6,
        cpu_s=sum(t.user + t.system for t in times),
        files=sum(process.num_fds() for process in family),
        threads=sum(process.num_threads() for process in family),
        processes=len(family),
    )
