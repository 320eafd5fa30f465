"""Peers on decoded events in memory: each event is scored, then learned, one after another.

The task is a JSON object on the command line: `detector`, `values` (a .npy file of `[N, C]`) and
`events` (at most so many of them; as many again, and at least 50, warm the detector up before).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

import numpy as np

NUM_TREES, TREE_SIZE = 40, 256
Step = Callable[[Any], None]


def half_space_trees(num_channels: int) -> Step:  # noqa: ARG001 - the interface's
    """River's HalfSpaceTrees behind MinMaxScaler, as its documentation asks."""
    from river import anomaly, preprocessing

    return _river(preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1))


def bare_half_space_trees(num_channels: int) -> Step:  # noqa: ARG001 - the interface's
    """River's HalfSpaceTrees alone, on values outside the range that they ask for."""
    from river import anomaly

    return _river(anomaly.HalfSpaceTrees(seed=1))


def robust_random_cut_forest(num_channels: int) -> Step:  # noqa: ARG001 - the interface's
    """rrcf: a forest of 40 trees of 256 points, each event into every tree, the oldest out."""
    import rrcf

    np.random.seed(0)  # noqa: NPY002 - the library draws from the global generator
    forest = [rrcf.RCTree() for _ in range(NUM_TREES)]
    count = 0

    def step(point: Any) -> None:
        nonlocal count
        for tree in forest:
            if len(tree.leaves) > TREE_SIZE:
                tree.forget_point(count - TREE_SIZE)
            tree.insert_point(point, index=count)
            tree.codisp(count)
        count += 1

    return step


def autoencoder(num_channels: int) -> Step:
    """deep-river's Autoencoder with one hidden layer of a few units, as in its documentation."""
    import torch
    from deep_river.anomaly import Autoencoder

    torch.set_num_threads(1)
    hidden = max(num_channels // 3, 2)
    module = torch.nn.Sequential(
        torch.nn.Linear(num_channels, hidden),
        torch.nn.SELU(),
        torch.nn.Linear(hidden, num_channels),
    )
    return _river(Autoencoder(module=module, lr=0.005, optimizer_fn="sgd"))


def _river(model: Any) -> Step:
    def step(event: dict[str, float]) -> None:
        model.score_one(event)
        model.learn_one(event)

    return step


DETECTORS: dict[str, tuple[Callable[[int], Step], bool]] = {
    # Name -> (detector, whether it takes dicts).
    "hst": (half_space_trees, True),
    "hst-bare": (bare_half_space_trees, True),
    "rrcf": (robust_random_cut_forest, False),
    "autoencoder": (autoencoder, True),
}


def main() -> None:
    """Warm the detector up with half of the events, and time the other half."""
    task = json.loads(sys.argv[1])
    values = np.load(task["values"])[: 2 * max(task["events"], 50)].astype(np.float64)
    build, dicts = DETECTORS[task["detector"]]
    step = build(values.shape[1])
    names = [f"c{channel}" for channel in range(values.shape[1])]
    events = [dict(zip(names, row, strict=True)) for row in values.tolist()] if dicts else values
    half = len(values) // 2
    for event in events[:half]:
        step(event)
    began_s = time.perf_counter()
    for event in events[half:]:
        step(event)
    seconds = time.perf_counter() - began_s
    sys.stdout.write(json.dumps({"events": len(values) - half, "seconds": seconds}) + "\n")


if __name__ == "__main__":
    main()
