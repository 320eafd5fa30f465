"""Probes of rows: which machine, what comes next, which regime. Training rows before test rows.

N = training rows, M = test rows, T = rows of a machine, K = machines, C = channels,
D = size of a vector, O = outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.embeddings.fleet import Fleet
from benchmarks.quality.embeddings.tally import Tally, balanced, tally
from streamssl.data.events import Float32Array, FloatArray, IntArray

AHEAD = (1, 10, 50)
_FIRST_SHARE, _SPLIT_SHARE = 0.25, 0.65
_STEP = 10
_RIDGE_CLASS, _RIDGE_VALUE = 10.0, 100.0
_NEIGHBOURS = 20
_CLIP, _TARGET_CLIP = 10.0, 5.0
_FLOOR = 0.05


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of the probes: every tenth, and none of a training target lies among the test rows.

    Attributes:
        train: From a quarter of the stream on, to .65 of it.
        test: From 50 rows later on, to 50 before the end.
    """

    train: IntArray
    test: IntArray

    @classmethod
    def of(cls, num_rows: int) -> Split:
        """The split of a stream of so many rows a machine."""
        split = int(_SPLIT_SHARE * num_rows)
        return cls(
            train=np.arange(int(_FIRST_SHARE * num_rows), split, _STEP),
            test=np.arange(split + max(AHEAD), num_rows - max(AHEAD), _STEP),
        )


def probe_rows(vectors_TKD: Float32Array, fleet: Fleet) -> dict[str, Tally]:
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


def neutral_targets(values_TKC: Float32Array) -> FloatArray:
    """`[T, K, C]` readings in units that owe nothing to a model, within five deviations.

    Of each machine's training rows: their mean, and their deviation, at least a twentieth of that
    of all rows up to the split.
    """
    num_rows = len(values_TKC)
    first, split = int(_FIRST_SHARE * num_rows), int(_SPLIT_SHARE * num_rows)
    x_TKC = values_TKC.astype(np.float64)
    floor_KC = _FLOOR * np.maximum(np.nanstd(x_TKC[:split], axis=0), 1e-6)
    scale_KC = np.maximum(np.nanstd(x_TKC[first:split], axis=0), floor_KC)
    z_TKC = (x_TKC - np.nanmean(x_TKC[first:split], axis=0)) / scale_KC
    return np.clip(np.nan_to_num(z_TKC), -_TARGET_CLIP, _TARGET_CLIP)


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


def _machines(x_ND: FloatArray, x_MD: FloatArray, keys: tuple[str, ...]) -> dict[str, Tally]:
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
) -> Tally:
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
