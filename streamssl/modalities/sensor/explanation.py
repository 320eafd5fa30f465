"""Why a row was scored as it was: contributions of channels, and what was expected instead.

A = explained events, C = channels, F = features, H = leaky units.
"""

from __future__ import annotations

import numpy as np

from streamssl.arithmetic.tiles import tiled_matmul
from streamssl.data.events import Float32Array, FloatArray
from streamssl.modalities.sensor.features import SensorMeasured
from streamssl.modalities.sensor.gaussians import EVIDENCE, SensorGaussians
from streamssl.scorers.attribution import SMALLEST, single_contributions
from streamssl.scorers.gaussian_bank import CLIP, rows_by_entry


def contributions(
    gaussians: SensorGaussians, measured: SensorMeasured, leaky_CH: FloatArray
) -> FloatArray:
    """`[A, C]` share of the four squared distances that each channel explains, summed.

    Sum over kinds v of c_v / (F_v s_v^2), with c_v the reconstruction-based contributions and
    F_v s_v^2 the squared distance of kind v.
    """
    total_AC = np.zeros_like(measured.center_BC)
    for column, kind in enumerate(EVIDENCE):
        bank, gradient_AF = gaussians[kind], gaussians.distances(measured, kind).gradient_BF
        if kind == "leaky":
            found_AC = _of_units(gaussians, measured, gradient_AF, leaky_CH)
        else:
            found_AC = bank.contributions(
                measured.entry_B, gradient_AF, total_AC.shape[1], gaussians.projection(kind)
            )
        squared_A = bank.num_features * measured.evidence_BV[:, column] ** 2
        total_AC += found_AC / np.maximum(squared_A, 1e-300)[:, None]
    return total_AC


def _of_units(
    gaussians: SensorGaussians,
    measured: SensorMeasured,
    gradient_AF: Float32Array,
    leaky_CH: FloatArray,
) -> FloatArray:
    """`[A, C]` contributions of the leaky units, shared out to the channels that drive them."""
    bank, total_AC = gaussians["leaky"], np.zeros_like(measured.center_BC)
    z_AC = measured.standardised()
    for entry, rows in rows_by_entry(measured.entry_B):
        if bank.is_whitened_E[entry]:
            units_AH = single_contributions(gradient_AF[rows], bank.whiten_EFF[entry])
            total_AC[rows] = channels_of_units(units_AH, z_AC[rows], leaky_CH)
    return total_AC


def channels_of_units(
    contribution_AH: FloatArray, z_AC: FloatArray, weight_CH: FloatArray
) -> FloatArray:
    """`[A, C]` sum_h c_h |z_c W_ch| / sum_d |z_d W_dh|: each unit's, by what its inputs weigh.

    Args:
        contribution_AH: c, of the units.
        z_AC: Newest rows, standardised.
        weight_CH: W, input weights of the units.

    Example:
        >>> channels_of_units(np.array([[8.0]]), np.array([[3.0, -1.0]]), np.ones((2, 1)))
        array([[6., 2.]])
    """
    size_AC, size_CH = np.abs(z_AC), np.abs(weight_CH)
    part_AH = contribution_AH / np.maximum(tiled_matmul(size_AC, size_CH), SMALLEST)
    return size_AC * tiled_matmul(part_AH, size_CH.T)


def expected_spread(gaussians: SensorGaussians, measured: SensorMeasured) -> FloatArray:
    """`[A, C]` standard deviations of what `expected` gives: 1 / sqrt(P_jj), in the input's units.

    For channels that are projected: that of the key.
    """
    bank, scale_AC = gaussians["lagged"], measured.scale_BC
    if gaussians.vectors["lagged"].projected:
        return scale_AC
    newest = slice(-scale_AC.shape[1], None)
    entry_A, shared_A1 = measured.entry_B, (measured.entry_B == 0)[:, None]
    precision_AC = np.maximum(bank.precision_EF[entry_A, newest], SMALLEST)
    spread_AC = 1.0 / (np.sqrt(precision_AC) * bank.inverse_scale_EF[entry_A, newest])
    return np.where(shared_A1, spread_AC * scale_AC, spread_AC)


def expected(gaussians: SensorGaussians, measured: SensorMeasured) -> FloatArray:
    """`[A, C]` newest values that the lagged Gaussian predicts from everything else.

    z_j - g_j / P_jj with g = P z, in the input's units. For channels that are projected: the
    key's running mean.
    """
    bank, num_channels = gaussians["lagged"], measured.center_BC.shape[1]
    expected_AC = measured.center_BC.copy()
    if gaussians.vectors["lagged"].projected:
        return expected_AC
    newest = slice(-num_channels, None)
    shared_A = measured.entry_B == 0
    x_AC = gaussians.features(measured, shared_A)["lagged"][:, newest]
    gradient_AF = gaussians.distances(measured, "lagged").gradient_BF
    for entry, rows in rows_by_entry(measured.entry_B):
        if not bank.is_whitened_E[entry]:
            continue
        whiten, scale = bank.whiten_EFF[entry], bank.inverse_scale_EF[entry, newest]
        mean = bank.mean_EF[entry, newest]
        z_AC = np.clip(np.nan_to_num((x_AC[rows] - mean) * scale, nan=0.0), -CLIP, CLIP)
        step_AF = gradient_AF[rows] / np.einsum("fg,fg->f", whiten, whiten)
        expected_AC[rows] = mean + (z_AC - step_AF[:, newest]) / scale
    in_units_AC = measured.center_BC + measured.scale_BC * expected_AC
    standardised_A = shared_A & bool(bank.is_whitened_E[0])
    return np.where(standardised_A[:, None], in_units_AC, expected_AC)
