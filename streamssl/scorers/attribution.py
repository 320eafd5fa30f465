"""Which parts made an event anomalous: reconstruction-based contributions.

For a Gaussian with precision P and standardised residual z, the contribution of a part is how much
the squared distance z' P z falls when its features are replaced by what all others predict:
g_p' (P_pp)^-1 g_p with the gradient g = P z (Alcala and Qin 2009, reconstruction-based
contribution). A single faulty part always has the largest one.

A = explained events, P = parts, F = features, N = values per part, X = features before a
projection.
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
    gradient_AF: Float32Array, whiten_FF: Float32Array, num_parts: int
) -> FloatArray:
    """`[A, P]` g_p' (P_pp)^-1 g_p where each part has N features (feature = n * P + part).

    Args:
        gradient_AF: P z.
        whiten_FF: Whitening matrix.
        num_parts: P.

    Example:
        >>> gradient, white = np.array([[3.0, 0.0]], np.float32), np.eye(2, dtype=np.float32)
        >>> block_contributions(gradient, white, 2)
        array([[9., 0.]])
    """
    num_values = len(whiten_FF) // num_parts
    grid = precision(whiten_FF).reshape(num_values, num_parts, num_values, num_parts)
    block_PNN = np.einsum("npmp->pnm", grid)
    gradient_APN = gradient_AF.reshape(-1, num_values, num_parts).transpose(0, 2, 1)
    solved_APN = np.matmul(gradient_APN[:, :, None], np.linalg.inv(block_PNN))[:, :, 0]
    return np.einsum("apn,apn->ap", gradient_APN, solved_APN)


def single_contributions(gradient_AF: Float32Array, whiten_FF: Float32Array) -> FloatArray:
    """`[A, F]` contributions of single features: g_f^2 / P_ff."""
    return gradient_AF**2 / np.maximum(np.einsum("fg,fg->f", whiten_FF, whiten_FF), SMALLEST)


def projected_contributions(
    gradient_AF: Float32Array,
    whiten_FF: Float32Array,
    direction_XF: Float32Array,
    num_parts: int,
) -> FloatArray:
    """`[A, P]` the same through a random projection, with the diagonal of P only.

    Sum over a part's inputs x of (g . d_x)^2 / sum_f d_xf^2 P_ff.

    Args:
        gradient_AF: P z.
        whiten_FF: Whitening matrix.
        direction_XF: d, where each projected input (N * P of them, part fastest) moves z.
        num_parts: P.
    """
    spread_X = direction_XF**2 @ np.einsum("fg,fg->f", whiten_FF, whiten_FF)
    along_AX = tiled_matmul(gradient_AF, direction_XF.T)
    contribution_AX = along_AX**2 / np.maximum(spread_X, SMALLEST)
    return contribution_AX.reshape(len(gradient_AF), -1, num_parts).sum(1)


def as_shares(contribution_AP: FloatArray) -> FloatArray:
    """c_p / sum_q c_q: contributions that sum to 1 per event (even shares where there are none).

    Example:
        >>> as_shares(np.array([[9.0, 3.0], [0.0, 0.0]]))
        array([[0.75, 0.25],
               [0.5 , 0.5 ]])
    """
    total = contribution_AP.sum(1, keepdims=True)
    even = np.full_like(contribution_AP, 1.0 / max(contribution_AP.shape[1], 1))
    return np.where(total > 0.0, contribution_AP / np.maximum(total, SMALLEST), even)
