"""What one thread of this machine can do: memory bandwidth and matrix rates.

Tiles have as many rows as the product's own; the best of several tries is taken.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.speed.results import Machine
from streamssl.learner.tiles import TILE

_BYTES = 2**27
FEATURES = 256
_ROWS = 8 * TILE
TRIES = 20


def measure_machine(num_bytes: int = _BYTES, tries: int = TRIES) -> Machine:
    """Measure it; takes about two seconds."""
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        bytes_per_s=copy_rate(num_bytes, tries),
        operations_per_s=matrix_rate(tries),
    )


def copy_rate(num_bytes: int = _BYTES, tries: int = TRIES) -> float:
    """Bytes read and written per second while an array larger than the caches is copied."""
    source = np.ones(num_bytes // 8)
    target = np.empty_like(source)
    return 2 * num_bytes / best_s(lambda: np.copyto(target, source), tries)


def matrix_rate(tries: int = TRIES) -> float:
    """Operations per second of float32 products in tiles of rows, by torch."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.rand(_ROWS, FEATURES, generator=generator)
    weight = torch.rand(FEATURES, FEATURES, generator=generator)
    tiles = torch.split(rows, TILE)
    operations = 2.0 * _ROWS * FEATURES * FEATURES
    return operations / best_s(lambda: [tile @ weight for tile in tiles], tries)


def best_s(work: Callable[[], object], tries: int) -> float:
    """Seconds of the quickest of some calls, after one that is not counted."""
    work()
    best = float("inf")
    for _ in range(tries):
        began_s = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began_s)
    return best
