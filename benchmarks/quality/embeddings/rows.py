"""Probes of rows: which machine, what comes next, which regime. Training rows before test rows.

N = training rows, M = test rows, T = rows of a machine, K = machines, C = channels,
D = size of a vector, O = outputs.
"""

from __future__ import annotations

import numpy as np

from benchmarks.quality.embeddings.fleet import Fleet
from benchmarks.quality.embeddings.split import AHEAD, Split, neutral_targets
from benchmarks.quality.embeddings.tally import Ratio, balanced, tally
from streamssl.data.events import Float32Array, FloatArray, IntArray

_RIDGE_CLASS, _RIDGE_VALUE = 10.0, 100.0
_NEIGHBOURS = 20
_CLIP = 10.0


def probe_rows(vectors_TKD: Float32Array, fleet: Fleet) -> dict[str, Ratio]:
    """Every probe of rows that the stream has an answer to.

    Returns:
        `machine, linear` and `machine, 20-NN` (share of rows), `R² +1` and so on (of the row so
        many rows ahead), `regime` (mean over regimes of the share of rows), by machine.
    """
    split = Split.of(len(vectors_TKD))
    x_ND, x_MD = _features(vectors_TKD, split)
    tallies = _machines(x_ND, x_MD, fleet.keys)
    target_TKC = neutral_targets(fleet.values_TKC)
    for ahead in AHEAD:
        y_NC, y_MC = (_flat(target_TKC[rows + ahead]) for rows in (split.train, split.test))
        tallies[f"R² +{ahead}"] = _r_squared(x_ND, y_NC, x_MD, y_MC, fleet.keys)
    if fleet.regime_TK is not None:
        regime_N, regime_M = (fleet.regime_TK[rows].ravel() for rows in (split.train, split.test))
        found_M = _classify(x_ND, regime_N, x_MD)
        machine_M = _machine_of(len(x_MD), len(fleet.keys))
        tallies["regime"] = balanced(fleet.keys, machine_M, regime_M, found_M == regime_M)
    return tallies


def ridge_predictions(
    x_ND: FloatArray, y_NO: FloatArray, x_MD: FloatArray, ridge: float
) -> FloatArray:
    """`[M, O]` linear predictions, with the outputs' means and without those of the features."""
    gram_DD = x_ND.T @ x_ND
    gram_DD[np.diag_indices_from(gram_DD)] += ridge
    mean_O = y_NO.mean(axis=0)
    return np.asarray(x_MD @ np.linalg.solve(gram_DD, x_ND.T @ (y_NO - mean_O)) + mean_O)


def _features(vectors_TKD: Float32Array, split: Split) -> tuple[FloatArray, FloatArray]:
    """`[N, D]` and `[M, D]` in units of the training rows, within ten deviations."""
    train_ND, test_MD = (_flat(vectors_TKD[rows]) for rows in (split.train, split.test))
    mean_D, scale_D = train_ND.mean(axis=0), train_ND.std(axis=0)
    scale_D[scale_D < 1e-8] = 1.0
    parts = (np.clip((x - mean_D) / scale_D, -_CLIP, _CLIP) for x in (train_ND, test_MD))
    return next(parts), next(parts)


def _machines(x_ND: FloatArray, x_MD: FloatArray, keys: tuple[str, ...]) -> dict[str, Ratio]:
    machine_N, machine_M = (_machine_of(len(x), len(keys)) for x in (x_ND, x_MD))
    found = {
        "machine, linear": _classify(x_ND, machine_N, x_MD),
        f"machine, {_NEIGHBOURS}-NN": _nearest(x_ND, machine_N, x_MD),
    }
    ones_M = np.ones(len(x_MD))
    return {
        name: tally(keys, machine_M, (found_M == machine_M).astype(float), ones_M)
        for name, found_M in found.items()
    }


def _r_squared(
    x_ND: FloatArray, y_NC: FloatArray, x_MD: FloatArray, y_MC: FloatArray, keys: tuple[str, ...]
) -> Ratio:
    """1 - squared error / squared distance from the test rows' mean, over all channels."""
    error_M = ((y_MC - ridge_predictions(x_ND, y_NC, x_MD, _RIDGE_VALUE)) ** 2).sum(axis=1)
    total_M = ((y_MC - y_MC.mean(axis=0)) ** 2).sum(axis=1)
    return tally(keys, _machine_of(len(x_MD), len(keys)), total_M - error_M, total_M)


def _classify(x_ND: FloatArray, class_N: IntArray, x_MD: FloatArray) -> IntArray:
    """`[M]` class by a linear ridge on one column a class."""
    target_NO = 2.0 * (class_N[:, None] == np.arange(class_N.max() + 1)) - 1.0
    found_M: IntArray = ridge_predictions(x_ND, target_NO, x_MD, _RIDGE_CLASS).argmax(axis=1)
    return found_M


def _nearest(x_ND: FloatArray, class_N: IntArray, x_MD: FloatArray) -> IntArray:
    """`[M]` class of most of the twenty nearest training rows."""
    count = min(_NEIGHBOURS, len(x_ND) - 1)
    square_N, found = (x_ND**2).sum(axis=1), []
    for x_BD in np.array_split(x_MD, -(-len(x_MD) // 1_000)):
        distance_BN = square_N - 2.0 * x_BD @ x_ND.T
        near_BN = class_N[np.argpartition(distance_BN, count, axis=1)[:, :count]]
        votes = [(near_BN == number).sum(axis=1) for number in range(class_N.max() + 1)]
        found.append(np.argmax(votes, axis=0))
    return np.concatenate(found)


def _flat(x_TKD: Float32Array | FloatArray) -> FloatArray:
    return x_TKD.reshape(-1, x_TKD.shape[-1]).astype(np.float64)


def _machine_of(num_rows: int, num_machines: int) -> IntArray:
    return np.arange(num_rows) % num_machines
