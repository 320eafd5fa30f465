"""A cleaned past: one bad reading is one anomaly, and leaves no echo in what is remembered."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import EventBatch, Float32Array, FloatArray, IntArray
from streamssl.data.results import Results
from streamssl.modalities.sensor.cleaning import CleanedContext
from streamssl.modalities.sensor.expectation import expected_steps
from streamssl.modalities.sensor.modality import SensorModality
from streamssl.modalities.sensor.stretch import NEVER, TOKEN_EVENTS, TOKENS
from streamssl.stream import StreamLearner
from tests.stream.ordinary import OFF, noise
from tests.stream.runs import assert_same, run_cut
from tests.stream.streams import batch_of

CONFIG = {**OFF, "alerts": {"neighbours": 0}, "learn": {"every": 256}}
TRAINED = 2_000


def ar_noise(num_rows: int, num_channels: int = 3, seed: int = 0) -> FloatArray:
    """Readings of deviation 1 that remember .7 of the last one, about 20, 30, 40, ..."""
    return noise(num_rows, num_channels, seed) + 10.0 * np.arange(2, 2 + num_channels)


def run(values: FloatArray, key: IntArray | None = None) -> tuple[StreamLearner, Results]:
    """A learner that has seen it all, and what it said."""
    learner = StreamLearner.from_config(CONFIG)
    key = np.zeros(len(values), np.int64) if key is None else key
    return learner, learner.process(batch_of(values, key))


def cleaned(learner: StreamLearner) -> CleanedContext:
    """The cleaned contexts of its keys."""
    assert learner._model is not None
    assert isinstance(learner._model.modality, SensorModality)
    return learner._model.modality.core.cleaned


def windows(learner: StreamLearner, slot: int = 0) -> tuple[Float32Array, Float32Array]:
    """Last rows of a key as they came, and as they are remembered."""
    assert learner._model is not None
    slots = np.array([slot])
    assert isinstance(learner._model.modality, SensorModality)
    plain, columns = learner._model.modality.context, cleaned(learner).columns
    origin_C = plain.origins.of(slots)[0].astype(np.float32)
    came = plain.memory(slots).window_KTC[0, -plain.recent :]
    clean = came if columns["far_at"][slot] == NEVER else columns["window"][slot]
    return origin_C + came, origin_C + clean


@cache
def usual() -> tuple[FloatArray, Results]:
    """A stream without any fault, and what is said of it."""
    values = ar_noise(TRAINED + 500, seed=1)
    return values, run(values)[1]


def spoiled(rows: list[int] | slice, channel: int, size: float) -> FloatArray:
    """The same stream with a channel moved in some rows."""
    values = usual()[0].copy()
    values[rows, channel] += size
    return values


def anomalies(results: Results) -> list[int]:
    """Anomalies after the rows without a fault."""
    rows: list[int] = results.anomaly[TRAINED:].nonzero()[0].tolist()
    return rows


@pytest.mark.parametrize("size", [12.0, -60.0, 65_535.0])
def test_one_bad_reading_is_one_anomaly_that_names_its_field(size: float) -> None:
    """However far off: no row after it is an anomaly."""
    _, results = run(spoiled([TRAINED + 100], 1, size))
    assert anomalies(results) == [100]
    assert results.top_field[TRAINED + 100] == 1


def test_what_is_remembered_is_the_expected_value() -> None:
    """The cleaned window holds what the others and the past say; the plain one what came."""
    at = TRAINED + 490
    learner, _ = run(spoiled([at], 2, -500.0))
    came, remembered = windows(learner)
    place = at - (TRAINED + 500)
    assert came[place, 2] == pytest.approx(usual()[0][at, 2] - 500.0)
    assert remembered[place, 2] == pytest.approx(usual()[0][at, 2], abs=3.0)
    np.testing.assert_array_equal(remembered[place, :2], came[place, :2])
    assert cleaned(learner).columns["spent"][0].tolist() == [0.0, 0.0, 1.0]


def test_later_rows_are_judged_as_if_it_had_not_been() -> None:
    """p-values after a bad reading are near those without; the published raw has its echo."""
    at, after = TRAINED + 100, slice(TRAINED + 101, TRAINED + 110)
    _, results = run(spoiled([at], 0, 40.0))
    assert (results.p_value[after] > 0.02).all()
    ratio = results.raw[after] / usual()[1].raw[after]
    assert ratio.min() > 1.2
    np.testing.assert_array_equal(results.raw[:at], usual()[1].raw[:at])


def test_bad_readings_of_two_channels_at_once_are_both_cleaned() -> None:
    """Each pays a token of its own."""
    values = spoiled([TRAINED + 490], 0, 30.0)
    values[TRAINED + 490, 2] -= 30.0
    learner, results = run(values)
    assert cleaned(learner).columns["spent"][0].tolist() == [1.0, 0.0, 1.0]
    _, remembered = windows(learner)
    np.testing.assert_allclose(remembered[-10], usual()[0][TRAINED + 490], atol=6.0)
    assert anomalies(results) == [490]


def test_under_a_shift_the_tokens_run_out_and_it_is_taken_in() -> None:
    """At most eight readings of a channel in a row are replaced; then they are as they came."""
    learner, results = run(spoiled(slice(TRAINED + 300, None), 1, 40.0))
    came, remembered = windows(learner)
    assert (came[:, 1] == remembered[:, 1]).mean() > 0.9
    assert results.anomaly[TRAINED + 300 :].mean() > 0.9
    spent = cleaned(learner).columns["spent"]
    assert (spent <= TOKENS).all()
    short, _ = run(spoiled(slice(TRAINED + 488, None), 1, 40.0))
    came, remembered = windows(short)
    replaced = (came[-12:, 1] != remembered[-12:, 1]).nonzero()[0]
    assert replaced.tolist() == list(range(int(TOKENS)))


def test_impossible_readings_beyond_the_tokens_count_up_to_the_bounds() -> None:
    """Without a token they are remembered as the plain context has them, and no further off."""
    learner, _ = run(spoiled(slice(TRAINED + 470, None), 1, 1e9))
    came, remembered = windows(learner)
    assert np.abs(came[:, 1]).max() < 1e5
    assert np.abs(remembered[:, 1]).max() <= np.abs(came[:, 1]).max()
    np.testing.assert_array_equal(remembered[-5:], came[-5:])


def test_a_token_comes_back() -> None:
    """One of each channel every 32 events of the key."""
    first, second = TRAINED + 300, TRAINED + 300 + int(3 * TOKEN_EVENTS) // 2
    learner, _ = run(spoiled([first, second], 1, 40.0))
    assert cleaned(learner).columns["spent"][0, 1] == 1.0


def test_two_contexts_that_agree_again_are_one() -> None:
    """Some hundred events after the last bad reading a key has its plain context alone."""
    at = TRAINED - 200
    learner, _ = run(spoiled([at], 1, 40.0)[: at + 150])
    assert cleaned(learner).columns["far_at"][0] == at
    learner, _ = run(spoiled([at], 1, 40.0)[: at + 300])
    assert cleaned(learner).columns["far_at"][0] == NEVER


def test_a_missing_value_is_none_to_be_cleaned() -> None:
    """It is held as the channel's last one, and spends nothing."""
    values = usual()[0].copy()
    values[TRAINED + 100 : TRAINED + 104] = np.nan
    learner, results = run(values)
    assert not cleaned(learner).columns["spent"].any()
    assert anomalies(results) == []


def test_keys_have_their_own_tokens() -> None:
    """One that fails all the time leaves another's reading one anomaly."""
    values, key = np.repeat(usual()[0], 2, axis=0), np.arange(2 * len(usual()[0])) % 2
    values[2 * TRAINED :: 20, 1] += 40.0  # of key 0
    at = 2 * TRAINED + 301
    values[at, 2] += 40.0
    learner, results = run(values, key)
    of_other = results.anomaly[key == 1].nonzero()[0]
    assert of_other[of_other >= TRAINED].tolist() == [at // 2]
    assert cleaned(learner).columns["spent"][0, 1] > 2.0


def test_a_wide_stream_is_left_as_it_came() -> None:
    """Where channels are projected single ones cannot be told apart, and nothing is cleaned."""
    values = ar_noise(700, num_channels=300, seed=3)
    values[650, 7] += 1e3
    learner, _ = run(values)
    assert not cleaned(learner).possible
    assert not cleaned(learner).columns["spent"].any()


@cache
def whole() -> tuple[EventBatch, Results, int]:
    """Two keys with bad readings of all kinds, in one piece."""
    values = ar_noise(1_100, seed=4)
    values[np.arange(700, 1_100, 37), 0] += 30.0
    values[950:970, 1] -= 25.0
    values[900::90, 2] = np.nan
    batch = batch_of(values, np.random.default_rng(5).integers(0, 2, 1_100))
    learner = StreamLearner.from_config(CONFIG)
    results = learner.process(batch)
    assert cleaned(learner).columns["spent"].any()
    return batch, results, learner.state_crc32c()


@settings(max_examples=4, deadline=None)
@given(cuts=st.lists(st.integers(5, 200), min_size=1, max_size=5))
def test_cuts_change_no_bit(cuts: list[int]) -> None:
    """However the same events are cut into reads, they are cleaned alike to the last bit."""
    batch, results, digest = whole()
    learner = StreamLearner.from_config(CONFIG)
    assert_same(run_cut(learner, batch, cuts), results)
    assert learner.state_crc32c() == digest


def test_of_independent_channels_each_far_one_moves_to_its_mean() -> None:
    """With P = I a step is the whole deviation; those under six stay."""
    steps, paid = expected_steps(np.array([7.0, -9.0, 5.9]), np.eye(3), np.ones(3, bool))
    assert paid.tolist() == [1, 0]
    np.testing.assert_allclose(steps, [7.0, -9.0, 0.0])


def test_a_channel_that_is_dragged_along_is_left_alone() -> None:
    """The one that stands out the most explains what its neighbours seem to be off."""
    covariance = np.array([[1.0, 0.95], [0.95, 1.0]])
    precision = np.linalg.inv(covariance)
    z = np.array([12.0, 0.0])  # the second seems as far from what the first says
    steps, paid = expected_steps(precision @ z, precision, np.ones(2, bool))
    assert paid.tolist() == [0]
    np.testing.assert_allclose(z - steps, [0.0, 0.0], atol=1e-9)


def test_a_channel_without_a_token_stays_but_explains() -> None:
    """It is not replaced; what it says of others is set aside all the same."""
    precision = np.linalg.inv(np.array([[1.0, 0.95], [0.95, 1.0]]))
    z = np.array([12.0, 0.0])
    steps, paid = expected_steps(precision @ z, precision, np.array([False, True]))
    assert paid.tolist() == []
    assert steps.tolist() == [0.0, 0.0]


def test_a_state_of_before_jumps_goes_on() -> None:
    """A core of sixty channels whose state knew one row and no jumps takes it over, and scores."""
    values = ar_noise(700, 60)
    learner, _ = run(values)
    assert learner._model is not None
    assert isinstance(learner._model.modality, SensorModality)
    core = learner._model.modality.core
    state = core.state_dict()
    held = state["cleaned"]["window"]
    state["cleaned"]["window"] = held[:, -1:]
    del state["jumps"]
    core.load_state_dict(state)
    assert core.cleaned.columns["window"].shape == held.shape
    assert np.isnan(core.cleaned.columns["window"][:, :-1]).all()
    assert (core.jumps.columns["usual"] == 0.0).all()
    assert len(core.jumps.columns["usual"]) == len(held)
