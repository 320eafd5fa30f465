"""Context of a key: windows, held values, moving averages; the normaliser from learnt rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import FloatArray, IntArray
from streamssl.modalities.sensor.context import EMA_SPANS, SensorContext
from streamssl.modalities.sensor.features import Features
from streamssl.modalities.sensor.normaliser import Normaliser
from streamssl.modalities.sensor.origins import OriginsOfBatch

STEPS, CHANNELS = 5, 2
NAN = float("nan")


def fresh(num_keys: int) -> tuple[SensorContext, Normaliser]:
    context = SensorContext(num_channels=CHANNELS, steps=STEPS, recent=STEPS, seed=0)
    normaliser = Normaliser(num_channels=CHANNELS)
    context.columns.ensure(num_keys)
    normaliser.columns.ensure(num_keys)
    context.origins.columns.ensure(num_keys)
    context.newcomers.columns.ensure(num_keys)
    return context, normaliser


def at_zero(slots: IntArray) -> FloatArray:
    """Keys whose channels' origins are 0."""
    return np.zeros((len(slots), CHANNELS))


def feed(slot: IntArray, values: FloatArray, cuts: list[int]) -> list[Features]:
    """Read and write rows in pieces."""
    context, normaliser = fresh(3)
    origins = context.origins
    out, begin, turn = [], 0, 0
    while begin < len(slot):
        part = slice(begin, begin + cuts[turn % len(cuts)])
        features, _, advance = context.read(
            slot[part], values[part], normaliser, OriginsOfBatch(origins.columns)
        )
        context.write(advance)
        out.append(features)
        begin, turn = part.stop, turn + 1
    return out


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_cuts_change_no_bit(seed: int, cuts: list[int]) -> None:
    """Windows, averages and leaky units are the same however rows are cut, missing ones too."""
    generator = np.random.default_rng(seed)
    slot = generator.integers(0, 3, 120)
    values = generator.normal(size=(120, CHANNELS))
    values[generator.random(values.shape) < 0.3] = np.nan
    whole, pieces = Features.concat(feed(slot, values, [120])), feed(slot, values, cuts)
    joined = Features.concat(pieces)
    for name in ("recent_BNC", "ema_BF", "leaky_BH", "age_B"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name), err_msg=name)


def test_a_missing_value_is_held() -> None:
    """A missing value counts as the channel's last one; before the first there is none."""
    values = np.array([[NAN, 1.0], [2.0, NAN], [NAN, NAN], [3.0, 4.0]])
    features = feed(np.zeros(4, np.int64), values, [4])[0]
    held = np.array([[NAN, 1.0], [2.0, 1.0], [2.0, 1.0], [3.0, 4.0]], np.float32)
    np.testing.assert_array_equal(features.recent_BNC[:, -1], held)
    np.testing.assert_array_equal(features.recent_BNC[-1, -4:], held)
    assert np.isnan(features.recent_BNC[-1, 0]).all()


def test_averages_equal_the_recurrence() -> None:
    """The recurrence h <- h + rate (x - h), from the channel's first value on, over many rows."""
    generator = np.random.default_rng(1)
    values = generator.normal(size=(200, CHANNELS)) + 5
    values[:7, 1] = np.nan
    found = Features.concat(feed(np.zeros(200, np.int64), values, [33]))
    for number, span in enumerate(EMA_SPANS):
        for channel, begin in ((0, 0), (1, 7)):
            expected = float(values[begin, channel])
            for row in range(begin + 1, 200):
                expected += 2.0 / (span + 1.0) * (float(values[row, channel]) - expected)
            column = number * CHANNELS + channel
            np.testing.assert_allclose(found.ema_BF[-1, column], expected, rtol=1e-6)
            assert np.isnan(found.ema_BF[:begin, column]).all()


def test_keys_do_not_mix() -> None:
    """A key's context is what it would be alone."""
    generator = np.random.default_rng(2)
    slot = np.arange(90) % 3
    values = generator.normal(size=(90, CHANNELS))
    together = Features.concat(feed(slot, values, [17])).take(slot == 1)
    alone = Features.concat(feed(np.ones(30, np.int64), values[slot == 1], [30]))
    np.testing.assert_array_equal(together.recent_BNC, alone.recent_BNC)
    np.testing.assert_array_equal(together.leaky_BH, alone.leaky_BH)


def test_the_normaliser_equals_mean_and_deviation() -> None:
    """With many rows of its own, a key's statistics are those of its rows, missing ones aside."""
    generator = np.random.default_rng(3)
    normaliser = Normaliser(num_channels=2)
    normaliser.columns.ensure(1)
    values = (generator.normal(size=(4_000, 2)) * [2.0, 0.1] + [1e4, -3.0]).astype(np.float32)
    values[::3, 1] = np.nan
    for part in np.split(values, 8):
        normaliser.learn(np.zeros(len(part), np.int64), part, at_zero)
    center, scale = normaliser.statistics(np.array([0]), np.zeros((1, 2)))
    np.testing.assert_allclose(center[0], np.nanmean(values, 0, dtype=float), rtol=1e-3)
    np.testing.assert_allclose(scale[0], np.nanstd(values, 0, dtype=float), rtol=0.05)


def test_a_flat_channel_has_a_scale() -> None:
    """A constant channel is scaled by a twentieth of its size, so that it is never infinite."""
    normaliser = Normaliser(num_channels=2)
    normaliser.columns.ensure(1)
    rows = np.full((300, 2), [0.1, 400.0], np.float32)
    normaliser.learn(np.zeros(300, np.int64), rows, at_zero)
    _, scale = normaliser.statistics(np.array([0]), np.zeros((1, 2)))
    np.testing.assert_allclose(scale[0], [0.05, 20.0], rtol=1e-3)
