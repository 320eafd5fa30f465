"""Tables of histograms: p-values fall strictly, go on beyond the past, and have an inverse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.alerts.tables import KNOTS, SPREAD, TAIL_SHARES, Tables, tables_of
from streamssl.arithmetic.histogram import NUM_BINS
from streamssl.data.events import FloatArray, IntArray

GENERATOR = np.random.default_rng(11)
NOBODY = np.zeros((1, NUM_BINS))


def counts_of(place_N: FloatArray) -> FloatArray:
    """`[1, bins]` a histogram of places."""
    bin_N = np.clip(place_N, 0, NUM_BINS - 1).astype(np.int64)
    return np.bincount(bin_N, minlength=NUM_BINS)[None].astype(np.float64)


def tables(place_N: FloatArray) -> Tables:
    """One histogram's tables, with no others to lean on."""
    return Tables(tables_of(counts_of(place_N), np.array([len(place_N)]), NOBODY))


def first(num_rows: int) -> IntArray:
    """The first histogram, for so many places."""
    return np.zeros(num_rows, np.int64)


@settings(max_examples=60, deadline=None)
@given(
    num_scores=st.sampled_from([1, 50, 300, 3_000, 5_000, 9_000, 15_000, 40_000]),
    spread=st.floats(0.2, 25.0),
    degrees=st.sampled_from([2.0, 5.0, 50.0]),
    seed=st.integers(0, 999),
)
def test_p_falls_strictly(num_scores: int, spread: float, degrees: float, seed: int) -> None:
    """A larger place has a smaller p-value, where the tail begins and at every knot too."""
    generator = np.random.default_rng(seed)
    past = tables(160.0 + spread * generator.standard_t(degrees, num_scores))
    place = np.linspace(float(past.place_KQ[0, 0]) - 60.0, 400.0, 5_000)
    p = past.p_value(first(len(place)), place)
    assert (np.diff(p) < 0.0).all()
    assert ((p > 0.0) & (p <= 1.0)).all()


def test_p_is_the_share_above() -> None:
    """The p-value of a place is the share of past scores beyond it, within two in a thousand."""
    past = GENERATOR.normal(160.0, 12.0, 20_000)
    probe = np.linspace(130.0, 185.0, 40)
    share = (past > probe[:, None]).mean(1)
    assert np.abs(tables(past).p_value(first(40), probe) - share).max() < 0.01


@settings(max_examples=40, deadline=None)
@given(
    num_scores=st.sampled_from([40, 700, 6_000, 30_000]),
    spread=st.floats(1.0, 25.0),
    exponents=st.lists(st.floats(-14.0, -0.01), min_size=1, max_size=9),
)
def test_place_is_the_inverse_of_p_value(
    num_scores: int, spread: float, exponents: list[float]
) -> None:
    """The place of a p-value has that p-value, in the tail and between any two knots."""
    table_1X = tables_of(
        counts_of(np.random.default_rng(3).normal(160.0, spread, num_scores)),
        np.array([num_scores]),
        NOBODY,
    )
    p = np.minimum(10.0 ** np.array(exponents), KNOTS[0])
    past = Tables(np.repeat(table_1X, len(p), axis=0))
    again = past.p_value(np.arange(len(p)), past.place(p))
    np.testing.assert_allclose(again, p, rtol=1e-6)


def test_the_tail_falls_by_a_factor_e_every_so_many_bins() -> None:
    """Beyond the largest scores p = q exp(-(x - t) / s), however far."""
    past = tables(GENERATOR.normal(160.0, 12.0, 2_000))
    share, begin, scale = (float(column[0]) for column in (past.share_K, past.tail_K, past.scale_K))
    assert share == TAIL_SHARES[1]
    wider = float(past.place(np.array([SPREAD * share]))[0])
    assert scale == pytest.approx((begin - wider) / np.log(SPREAD))
    place = begin + np.array([1.0, 10.0, 100.0])
    expected = share * np.exp(-(place - begin) / scale)
    np.testing.assert_allclose(past.p_value(first(3), place), expected)


def test_equal_scores_still_have_a_tail() -> None:
    """A past of one value falls over at least a bin, so that a little more is not impossible."""
    past = tables(np.full(5_000, 160.5))
    p = past.p_value(first(3), np.array([160.0, 161.5, 164.0]))
    assert p[0] > 0.9
    assert (p[1:] < p[:-1]).all()
    assert p[2] > 1e-6


def test_a_young_histogram_leans_on_the_others() -> None:
    """Without scores of its own it is that of all keys; with many it is its own."""
    pool_1N = counts_of(GENERATOR.normal(200.0, 5.0, 2_000))
    young = Tables(tables_of(NOBODY, np.array([0]), pool_1N))
    assert float(young.place(np.array([0.5]))[0]) == pytest.approx(200.0, abs=0.5)
    own_1N = counts_of(GENERATOR.normal(100.0, 5.0, 2_000))
    old = Tables(tables_of(own_1N, np.array([2_000]), pool_1N))
    assert float(old.place(np.array([0.5]))[0]) == pytest.approx(100.0, abs=0.5)
    assert old.total_K[0] == pytest.approx(2_000.0, rel=1e-3)


def test_a_histogram_does_not_depend_on_those_beside_it() -> None:
    """Tables of many histograms are those of each alone, and are read as each alone."""
    counts_KN = np.concatenate([counts_of(GENERATOR.normal(m, 9.0, 500)) for m in (90, 160, 230)])
    seen_K, pool_KN = np.array([500, 500, 500]), np.repeat(NOBODY, 3, axis=0)
    together = tables_of(counts_KN, seen_K, pool_KN)
    place = np.linspace(60.0, 300.0, 50)
    for key in range(3):
        alone = tables_of(counts_KN[key : key + 1], seen_K[:1], NOBODY)
        np.testing.assert_array_equal(together[key : key + 1], alone)
        np.testing.assert_array_equal(
            Tables(together).p_value(np.full(50, key), place),
            Tables(alone).p_value(first(50), place),
        )
