"""Which parts made an event anomalous: reconstruction-based contributions.

For a Gaussian with precision P and standardised residual z, the contribution of a channel is how
much the squared distance falls when its features are replaced by what all others predict:
v_j' (P_jj)^-1 v_j with v = P z (Alcala and Qin 2009, reconstruction-based contribution). A single
faulty channel always has the largest one.

A = explained events, C = channels, F = features, N = values per channel.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array, FloatArray

SMALLEST = 1e-30  # a divisor, also in float32


def precision(whiten_FF: Float32Array) -> FloatArray:
    """P = W W' of a whitening matrix W (z' W is white)."""
    exact_FF = whiten_FF.astype(np.float64)
    return exact_FF @ exact_FF.T


def block_contributions(
    pull_AF: Float32Array, whiten_FF: Float32Array, num_channels: int
) -> FloatArray:
    """`[A, C]` contributions where each channel has N features (feature = n * C + channel)."""
    num_blocks = len(whiten_FF) // num_channels
    grid = precision(whiten_FF).reshape(num_blocks, num_channels, num_blocks, num_channels)
    block_CNN = np.einsum("ncmc->cnm", grid)
    pull_ACN = pull_AF.reshape(-1, num_blocks, num_channels).transpose(0, 2, 1)
    solved_ACN = np.matmul(pull_ACN[:, :, None], np.linalg.inv(block_CNN))[:, :, 0]
    return np.einsum("acn,acn->ac", pull_ACN, solved_ACN)


def single_contributions(pull_AF: Float32Array, whiten_FF: Float32Array) -> FloatArray:
    """`[A, F]` contributions of single features: v_f^2 / P_ff."""
    return pull_AF**2 / np.maximum(np.einsum("fg,fg->f", whiten_FF, whiten_FF), SMALLEST)


def projected_contributions(
    pull_AF: Float32Array,
    whiten_FF: Float32Array,
    direction_XF: Float32Array,
    num_channels: int,
) -> FloatArray:
    """`[A, C]` the same through a random projection, with the diagonal of P only.

    Args:
        pull_AF: P z.
        whiten_FF: Whitening matrix.
        direction_XF: Where each projected input (N * C of them, C fastest) moves z.
        num_channels: C.
    """
    spread_X = direction_XF**2 @ np.einsum("fg,fg->f", whiten_FF, whiten_FF)
    contribution_AX = tiled_matmul(pull_AF, direction_XF.T) ** 2 / np.maximum(spread_X, SMALLEST)
    return contribution_AX.reshape(len(pull_AF), -1, num_channels).sum(1)


def channels_of_units(
    contribution_AH: FloatArray, z_AC: FloatArray, weight_CH: FloatArray
) -> FloatArray:
    """`[A, C]` contributions of leaky units, shared out by |W z| of the newest row."""
    size_AC, size_CH = np.abs(z_AC), np.abs(weight_CH)
    part_AH = contribution_AH / np.maximum(tiled_matmul(size_AC, size_CH), SMALLEST)
    return size_AC * tiled_matmul(part_AH, size_CH.T)


def as_shares(contribution_AC: FloatArray) -> FloatArray:
    """Contributions scaled to sum to 1 per event (even shares where there are none)."""
    total = contribution_AC.sum(1, keepdims=True)
    even = np.full_like(contribution_AC, 1.0 / max(contribution_AC.shape[1], 1))
    return np.where(total > 0.0, contribution_AC / np.maximum(total, SMALLEST), even)
