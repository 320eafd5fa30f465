"""Memory that a batch's arrays give back stays with the process, for the next batch."""

from __future__ import annotations

import ctypes
import os

# docs/research-log.md, "Constants of the arithmetic"
KEPT_BYTES = 256 * 2**20
LARGEST_BYTES = 32 * 2**20  # the most that glibc takes: larger arrays come and go by themselves
# <malloc.h> of glibc: the parameter's number, and the environment's variable that sets it.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def keep_freed_memory() -> bool:
    """For a process in which the learner does most of the work; whether the allocator can.

    By itself glibc hands a thread's freed memory back at once, and every batch begins with the
    kernel clearing the same pages again. What somebody has set in the environment stays as it is.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name in os.environ for name in VARIABLES):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES) and mallopt(M_TRIM_THRESHOLD, KEPT_BYTES))
