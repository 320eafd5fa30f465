"""Tiny streams of several machines, and vectors that know everything or nothing of them."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.data import Series
from benchmarks.quality.embeddings.fleet import Fleet, KnownIncidents
from streamssl.data.events import Float32Array

NUM_KINDS = 4


def small_fleet(num_rows: int = 1_200, num_machines: int = 4, seed: int = 0) -> Fleet:
    """Slow waves of two channels, three regimes, an incident of 20 rows every 60 or so."""
    rng = np.random.default_rng(seed)
    row_T = np.arange(num_rows)[:, None, None]
    phase_KC = rng.uniform(0, 2 * np.pi, (num_machines, 2))
    noise_TKC = 0.1 * rng.standard_normal((num_rows, num_machines, 2))
    values_TKC = np.sin(row_T / 15 + phase_KC) + noise_TKC
    regime_TK = rng.integers(0, 3, (num_rows, num_machines))
    start_I = np.repeat(np.arange(100, num_rows - 40, 60), num_machines)
    machine_I = np.tile(np.arange(num_machines), len(start_I) // num_machines)
    kind_I = rng.integers(0, NUM_KINDS, len(start_I))
    kinds = tuple(f"kind-{number}" for number in range(NUM_KINDS))
    known = KnownIncidents(kinds, machine_I, start_I, start_I + 20, kind_I)
    keys = tuple(f"m{number}" for number in range(num_machines))
    return Fleet("small", keys, ("a", "b"), values_TKC.astype(np.float32), regime_TK, known)


def machine_vectors(fleet: Fleet) -> Float32Array:
    """The machine and nothing else."""
    num_rows, num_machines, _ = fleet.values_TKC.shape
    one_TKD = np.broadcast_to(np.eye(num_machines), (num_rows, num_machines, num_machines))
    return one_TKD.astype(np.float32)


def kind_vectors(fleet: Fleet) -> Float32Array:
    """The kind of fault during an incident, zeros elsewhere."""
    vectors_TKD = np.zeros((*fleet.values_TKC.shape[:2], NUM_KINDS), np.float32)
    known = fleet.incidents
    assert known is not None
    for k, start, stop, kind in zip(
        known.machine_I, known.start_I, known.stop_I, known.kind_I, strict=True
    ):
        vectors_TKD[start:stop, k, kind] = 1.0
    return vectors_TKD


def random_vectors(fleet: Fleet, size: int = 8, seed: int = 1) -> Float32Array:
    """Nothing at all."""
    shape = (*fleet.values_TKC.shape[:2], size)
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def small_series(
    name: str, num_rows: int = 1_100, onset: int = 900, set_name: str = "tiny"
) -> Series:
    """Noise of two channels, and one labelled run of forty rows far off both."""
    rng = np.random.default_rng(int(name[-1]))
    values_NC = rng.standard_normal((num_rows, 2)).astype(np.float32)
    label = np.zeros(num_rows, np.int64)
    label[onset : onset + 40] = 1
    values_NC[label == 1] += 8.0
    return Series(
        set_name=set_name,
        name=name,
        time=np.arange(num_rows, dtype=np.float64),
        fields=("a", "b"),
        values_NC=values_NC,
        label=label,
        use=np.ones(num_rows, np.int64),
    )
