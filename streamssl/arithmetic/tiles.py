"""Matrix products in tiles of one shape, so that a row's bits never depend on its neighbours.

A BLAS chooses its kernel by the shape of the matrices: seven rows at once can differ in the last
bit from the same rows among a thousand. All products of events with weights go through here.

B = events, N = tiles, R = rows of a tile, E = groups, F = features, G = outputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from streamssl.data.events import Float32Array, FloatArray, IntArray

Floats = TypeVar("Floats", FloatArray, Float32Array)
# docs/research-log.md, "Constants of the arithmetic"
TILE = 32
# Of float32, and of a group, whose rows are often few: OpenBLAS's AVX2 kernel adds up the rows of
# larger tiles in one order here and in another there.
SMALL_TILE = 8


@dataclass(frozen=True, slots=True)
class Tiling:
    """Rows of a batch laid out in tiles, each tile holding rows of one group only.

    Attributes:
        row_NR: Row of the batch at each place; padding repeats a row of the same tile.
        group_N: Group of each tile.
        place_B: Flat place (tile * R + row) of each row of the batch.
    """

    row_NR: IntArray
    group_N: IntArray
    place_B: IntArray


def tile_rows(group_B: IntArray, rows: int = SMALL_TILE) -> Tiling:
    """Lay out a batch whose rows belong to `group_B` in tiles of `rows` rows.

    Example:
        >>> tiling = tile_rows(np.array([7, 5, 7]), rows=2)
        >>> tiling.group_N, tiling.row_NR.tolist()
        (array([5, 7]), [[1, 1], [0, 2]])
    """
    if len(group_B) and (group_B == group_B[0]).all():
        return _tile_one(int(group_B[0]), len(group_B), rows)
    order = np.argsort(group_B, kind="stable")
    groups, counts = np.unique(group_B, return_counts=True)
    tiles = -(-counts // rows)
    first_tile, first_row = np.cumsum(tiles) - tiles, np.cumsum(counts) - counts
    rank = np.arange(len(order)) - np.repeat(first_row, counts)
    place_sorted = np.repeat(first_tile, counts) * rows + rank
    row = np.repeat(order[first_row] if len(order) else order, tiles * rows)
    row[place_sorted] = order
    place_B = np.empty_like(place_sorted)
    place_B[order] = place_sorted
    return Tiling(row.reshape(-1, rows), np.repeat(groups, tiles), place_B)


def _tile_one(group: int, num_rows: int, rows: int) -> Tiling:
    """The tiling of a batch of one group: its rows in order, padded with the first."""
    place_B = np.arange(num_rows)
    row = np.zeros(-(-num_rows // rows) * rows, np.int64)
    row[:num_rows] = place_B
    row_NR = row.reshape(-1, rows)
    return Tiling(row_NR, np.full(len(row_NR), group), place_B)


def tiled_matmul(x_BF: Floats, weight_FG: Floats) -> Floats:
    """`x_BF @ weight_FG`, bit-identical for a row whatever batch it comes in.

    Example:
        >>> x, weight = np.ones((3, 2)), np.ones((2, 1))
        >>> tiled_matmul(x, weight).ravel()
        array([2., 2., 2.])
    """
    num_rows, tile = len(x_BF), SMALL_TILE if x_BF.dtype == np.float32 else TILE
    padded = np.zeros((-(-num_rows // tile) * tile, x_BF.shape[1]), x_BF.dtype)
    padded[:num_rows] = x_BF
    tiles = padded.reshape(len(padded) // tile, tile, x_BF.shape[1])
    return np.matmul(tiles, weight_FG).reshape(len(padded), weight_FG.shape[1])[:num_rows]


def grouped_matmul(
    x_NRF: Float32Array, group_N: IntArray, weight_EFF: Float32Array
) -> Float32Array:
    """`[N, R, F]` x_n @ W_e for every tile n of group e; tiles of one group stand together.

    Args:
        x_NRF: The tiles.
        group_N: As `tile_rows` gives it.
        weight_EFF: One matrix a group.
    """
    if len(group_N) and group_N[0] == group_N[-1]:
        return np.matmul(x_NRF, weight_EFF[group_N[0]])
    product_NRF = np.empty_like(x_NRF)
    groups, starts = np.unique(group_N, return_index=True)
    stops = [*starts.tolist(), len(group_N)][1:]
    for group, start, stop in zip(groups.tolist(), starts.tolist(), stops, strict=True):
        np.matmul(x_NRF[start:stop], weight_EFF[group], out=product_NRF[start:stop])
    return product_NRF
