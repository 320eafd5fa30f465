"""Levels of channels: what stands out whatever the unit, and what is learnt as usual."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.arithmetic.acceptance import ACCEPTANCE, Acceptance
from streamssl.config.settings import load_config
from streamssl.data.events import Float32Array, FloatArray, IntArray, Schema
from streamssl.data.keys import Runs
from streamssl.modalities.sensor.candidates import FAR
from streamssl.modalities.sensor.features import Signals
from streamssl.modalities.sensor.levels import ChannelLevels
from streamssl.modalities.sensor.liveliness import Liveliness
from streamssl.modalities.sensor.modality import SensorModality
from streamssl.modalities.sensor.origins import Origins
from streamssl.modalities.sensor.robust import KNOWN_ROWS, first_level, first_step

CHANNELS, STEPS, EPOCH = 3, 33, 64


class Fed:
    """Levels of some keys, and what a context would remember beside them."""

    def __init__(self, num_keys: int = 1, num_channels: int = CHANNELS) -> None:
        origins = Origins(num_channels=num_channels)
        self.levels = ChannelLevels(
            num_channels=num_channels, acceptance=ACCEPTANCE, origins=origins
        )
        self.lively = Liveliness(num_channels=num_channels)
        for columns in (self.levels.columns, self.lively.columns, origins.columns):
            columns.ensure(num_keys)
        self.restarted: list[int] = []
        self.window_KTC = np.full((num_keys, STEPS, num_channels), np.nan, np.float32)
        self.age_K = np.zeros(num_keys, np.int64)

    def read(self, values_BC: FloatArray, slot_B: IntArray | None = None) -> Signals:
        """Signals of rows; they are remembered but not learnt."""
        slot_B = np.zeros(len(values_BC), np.int64) if slot_B is None else slot_B
        runs = Runs(slot_B)
        far_B, far_at_B = self.levels.read(runs, values_BC)
        quiet_B, quiet_at_B, advance = self.lively.read(runs, self.age_K[runs.slots], values_BC)
        self.lively.write(advance)
        self.age_K[runs.slots] += runs.counts
        for slot in runs.slots.tolist():
            rows_TC = np.concatenate([self.window_KTC[slot], values_BC[slot_B == slot]])
            self.window_KTC[slot] = rows_TC[-STEPS:]
        return Signals(np.stack([far_B, quiet_B], 1), np.stack([far_at_B, quiet_at_B], 1))

    def epoch(self, values_BC: FloatArray, slot_B: IntArray | None = None) -> Signals:
        """Read rows and learn them."""
        slot_B = np.zeros(len(values_BC), np.int64) if slot_B is None else slot_B
        runs = Runs(slot_B)
        age_B = self.age_K[slot_B] + runs.rank
        signals = self.read(values_BC, slot_B)
        self.restarted = self.levels.learn(slot_B, age_B, values_BC, self._window).tolist()
        self.lively.learn(runs, self._window)
        return signals

    def run(
        self, values_BC: FloatArray, slot_B: IntArray | None = None, *, epoch: int = EPOCH
    ) -> Signals:
        """All rows, epoch by epoch."""
        slot_B = np.zeros(len(values_BC), np.int64) if slot_B is None else slot_B
        parts = [slice(i, i + epoch) for i in range(0, len(values_BC), epoch)]
        return Signals.concat([self.epoch(values_BC[part], slot_B[part]) for part in parts])

    def _window(self, slots: IntArray) -> Float32Array:
        rows: Float32Array = self.window_KTC[slots]
        return rows


def noise(num_rows: int, seed: int = 0, num_channels: int = CHANNELS) -> FloatArray:
    """Independent readings of deviation 1 about 20, 50, 100, ..."""
    generator = np.random.default_rng(seed)
    return generator.normal(size=(num_rows, num_channels)) + 10.0 * np.arange(2, 2 + num_channels)


def far(signals: Signals) -> FloatArray:
    """`[B]` largest distance from the nearest mode."""
    return signals.size_B2[:, 0]


def quiet(signals: Signals) -> FloatArray:
    """`[B]` largest quietness."""
    return signals.size_B2[:, 1]


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e6])
def test_the_unit_of_a_channel_changes_nothing(unit: float) -> None:
    """Distances, quietness and the channels that have them are those of any other unit."""
    values_BC = noise(1_500, seed=1)
    values_BC[1_200:1_210, 1] += 10.0
    values_BC[1_300:1_400, 2] = values_BC[1_300, 2]
    plain, scaled = Fed().run(values_BC), Fed().run(values_BC * np.array([1.0, unit, unit]))
    np.testing.assert_allclose(scaled.size_B2, plain.size_B2, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(scaled.channel_B2[200:], plain.channel_B2[200:])


@pytest.mark.parametrize("offset", [-300.0, 1e4, 1e6])
def test_the_offset_of_a_channel_changes_nothing(offset: float) -> None:
    """A fault of ten deviations is as far off about any level that float32 can hold."""
    values_BC = noise(6_000, seed=2)
    values_BC[5_800:5_820, 1] += 10.0
    plain, moved = (
        far(Fed().run(values_BC)),
        far(Fed().run(values_BC + np.array([0.0, offset, 0.0]))),
    )
    np.testing.assert_allclose(moved[5_800:5_820], plain[5_800:5_820], rtol=0.15)
    assert (moved[5_000:5_800] > FAR).mean() < 0.01


@pytest.mark.parametrize("value", [-9_999.0, 65_535.0, 3e38])
def test_a_sentinel_among_the_first_rows_spoils_no_scale(value: float) -> None:
    """Level and scale begin with a median and a robust deviation: one impossible row is nothing."""
    values_BC, fed = noise(400, seed=3), Fed()
    values_BC[5, 1] = value
    fed.run(values_BC)
    columns = fed.levels.columns
    assert columns["scale"][0, 1] == pytest.approx(1.0, rel=0.25)
    assert columns["center"][0, 0, 1] == pytest.approx(30.0, abs=0.5)
    fault_BC = noise(1, seed=4) + np.array([0.0, 10.0, 0.0])
    assert far(fed.read(fault_BC))[0] > FAR


def test_a_channel_is_unknown_until_it_has_had_enough_values() -> None:
    """Before so many nothing is far off, whatever comes; other channels are judged meanwhile."""
    fed, values_BC = Fed(), noise(300, seed=5)
    values_BC[: 300 - KNOWN_ROWS // 2, 1] = np.nan
    fed.run(values_BC)
    odd_BC = noise(2, seed=6)
    odd_BC[0, 1], odd_BC[1, 2] = 1e9, 1e9
    signals = fed.read(odd_BC)
    assert far(signals)[0] < FAR < far(signals)[1]
    assert signals.channel_B2[1, 0] == 2


def test_a_late_channel_is_judged_as_one_that_was_always_there() -> None:
    """Missing for 700 rows, then known after a few dozen: the same scale, the same fault seen."""
    values_BC = noise(1_200, seed=7)
    late_BC = values_BC.copy()
    late_BC[:700, 1] = np.nan
    always, late = Fed(), Fed()
    always.run(values_BC)
    signals = late.run(late_BC)
    assert late.levels.columns["scale"][0, 1] == pytest.approx(1.0, rel=0.1)
    fault_BC = noise(1, seed=8) + np.array([0.0, 10.0, 0.0])
    np.testing.assert_allclose(far(late.read(fault_BC)), far(always.read(fault_BC)), rtol=0.1)
    assert (far(signals)[64:] > FAR).mean() < 0.01


@pytest.mark.parametrize("length", [90, 250, 700])
def test_recurring_modes_are_learnt(length: int) -> None:
    """After some turns both are usual, and a fault of ten deviations is far off in either."""
    num_rows = 5_600
    mode_B = (np.arange(num_rows) // length) % 2
    values_BC = noise(num_rows, seed=9) + mode_B[:, None] * np.array([20.0, 3.0, 20.0])
    fed = Fed()
    signals = fed.run(values_BC)
    assert (far(signals)[3_500:] > FAR).mean() < 0.01
    both_BC = noise(2, seed=10) + np.array([[0.0, 10.0, 0.0], [20.0, 13.0, 20.0]])
    signals = fed.read(both_BC)
    assert (far(signals) > FAR).all()
    assert (signals.channel_B2[:, 0] == 1).all()
    # Each channel of this row is usual, together they are not.
    between_BC = noise(1, seed=11) + np.array([20.0, 0.0, 0.0])
    assert far(fed.read(between_BC))[0] > FAR


@pytest.mark.parametrize("length", [90, 250])
def test_three_modes_in_turn_are_all_learnt(length: int) -> None:
    """While one of them is followed, rows of the third neither take it back nor widen a scale."""
    levels_MC = np.array([[0.0, 0.0, 0.0], [20.0, 3.0, 20.0], [-10.0, 30.0, -10.0]])
    mode_B = (np.arange(12_000) // length) % 3
    fed = Fed()
    signals = fed.run(noise(12_000, seed=30) + levels_MC[mode_B])
    assert (far(signals)[10_000:] > FAR).mean() < 0.01
    np.testing.assert_allclose(fed.levels.columns["scale"][0], 1.0, rtol=0.25)
    fault_BC = noise(3, seed=31) + levels_MC + np.array([0.0, 10.0, 0.0])
    assert (far(fed.read(fault_BC)) > FAR).all()


def test_noise_that_grows_widens_the_scale() -> None:
    """Rows far off that are not alike are no level: the channel is noisier than it was."""
    fed, values_BC = Fed(num_channels=1), noise(6_000, seed=32, num_channels=1)
    values_BC[2_000:] = 20.0 + 10.0 * (values_BC[2_000:] - 20.0)
    fed.run(values_BC)
    assert (fed.levels.columns["weight"][0] > 0).sum() == 1
    assert fed.levels.columns["scale"][0, 0] > 4.0


def test_a_new_level_of_a_single_channel_widens_no_scale() -> None:
    """All of its rows are at it, the outer ones too."""
    fed, values_BC = Fed(num_channels=1), noise(2_400, seed=33, num_channels=1)
    values_BC[1_200:] += 40.0
    fed.run(values_BC)
    assert (fed.levels.columns["weight"][0] > 0).sum() == 2
    assert fed.levels.columns["scale"][0, 0] == pytest.approx(1.0, rel=0.25)


def test_a_level_that_stays_is_told_and_judged_about_from_then_on() -> None:
    """After so many rows it is a mode; the key begins anew, and its rows are near."""
    fed, told = Fed(), []
    fed.run(noise(1_280, seed=12))
    shifted_BC = noise(1_280, seed=13) + np.array([0.0, 40.0, 0.0])
    for number in range(0, 1_280, EPOCH):
        rows_BC = shifted_BC[number : number + EPOCH]
        signals = fed.epoch(rows_BC)
        if fed.restarted:
            told.append(number + EPOCH)
            assert (far(signals) > FAR).all()
            assert fed.restarted == [0]
            assert (fed.levels.distances(np.zeros(EPOCH, np.int64), rows_BC) < FAR).all()
    assert len(told) == 1
    assert 500 <= told[0] <= 500 + 2 * EPOCH
    assert (far(fed.read(noise(200, seed=14) + np.array([0.0, 40.0, 0.0]))) < FAR).all()
    assert (far(fed.read(noise(50, seed=15) + np.array([0.0, 50.0, 0.0]))) > FAR).mean() > 0.9
    assert fed.levels.columns["scale"][0, 1] == pytest.approx(1.0, rel=0.25)


def test_a_burst_of_faults_is_no_mode() -> None:
    """Rows far off at random places, or at one place too few times, never become usual."""
    fed, values_BC = Fed(), noise(3_200, seed=16)
    values_BC[1_000:1_300, 1] += 40.0
    values_BC[2_000:2_900, 2] += np.random.default_rng(1).choice([-1, 1], 900) * 10.0 ** np.arange(
        1, 10
    ).repeat(100)
    fed.run(values_BC)
    assert (fed.levels.columns["weight"][0] > 0).sum() == 1
    assert far(fed.read(noise(1, seed=17) + np.array([0.0, 40.0, 0.0])))[0] > FAR


@pytest.mark.parametrize("channels", [[1], [0, 1, 2]], ids=["one", "all"])
@pytest.mark.parametrize("stuck", [True, False], ids=["stuck", "missing"])
def test_a_channel_that_falls_silent_is_quiet(channels: list[int], stuck: bool) -> None:
    """One value repeated, or none at all: far more calm than the channel ever was, and named."""
    fed, values_BC = Fed(), noise(2_400, seed=18)
    values_BC[2_100:, channels] = values_BC[2_100, channels] if stuck else np.nan
    signals = fed.run(values_BC)
    assert quiet(signals)[500:2_100].max() < FAR
    assert (quiet(signals)[2_250:] > FAR).all()
    assert np.isin(signals.channel_B2[2_250:, 1], channels).all()


def test_a_constant_channel_is_not_quiet() -> None:
    """One that never moved is as ever, and one that seldom moves is no fault between its moves."""
    fed, values_BC = Fed(), noise(3_000, seed=19)
    values_BC[:, 1] = 7.0
    values_BC[:, 2] = np.floor(np.arange(3_000) / 100)
    signals = fed.run(values_BC)
    assert quiet(signals)[1_000:].max() < FAR


def test_a_constant_channel_that_moves_is_far_off() -> None:
    """Its scale is nothing, so that any other value is as far as can be."""
    fed, values_BC = Fed(), noise(500, seed=20)
    values_BC[:, 1] = 7.0
    fed.run(values_BC)
    moved_BC = noise(2, seed=21)
    moved_BC[:, 1] = 7.0, 7.01
    signals = fed.read(moved_BC)
    assert far(signals)[0] < FAR < far(signals)[1]
    assert signals.channel_B2[1, 0] == 1


def test_a_flat_channel_that_comes_alive_hides_no_other() -> None:
    """Its first moves are far off; when it has moved for long only those of others are."""
    fed, values_BC = Fed(), noise(6_000, seed=34)
    alive_B = np.random.default_rng(35).random(6_000) < 0.3
    values_BC[:, 1] = 7.0
    values_BC[2_000:, 1] += np.where(alive_B, noise(6_000, seed=36)[:, 0] - 20.0, 0.0)[2_000:]
    signals = fed.run(values_BC, epoch=4 * EPOCH)
    moved = 2_000 + np.flatnonzero(alive_B[2_000:])
    assert (far(signals)[moved[:5]] > FAR).all()
    assert (far(signals)[4_000:] > FAR).mean() < 0.01
    fault_BC = noise(1, seed=37) + np.array([10.0, 0.0, 0.0])
    fault_BC[0, 1] = 7.0
    signals = fed.read(fault_BC)
    assert far(signals)[0] > FAR
    assert signals.channel_B2[0, 0] == 0


def test_rows_without_any_value_say_nothing() -> None:
    """They are near, move no level, and leave the last value where it was."""
    fed, nothing_BC = Fed(), np.full((40, CHANNELS), np.nan)
    fed.run(noise(640, seed=22))
    before = {name: fed.levels.columns[name].copy() for name in ("center", "scale")}
    last = fed.lively.columns["last"].copy()
    assert (far(fed.epoch(nothing_BC)) == 0.0).all()
    for name, column in before.items():
        np.testing.assert_array_equal(fed.levels.columns[name], column, err_msg=name)
    np.testing.assert_array_equal(fed.lively.columns["last"], last)
    assert np.isfinite(fed.epoch(noise(64, seed=23)).size_B2).all()


def test_a_key_of_missing_values_alone_is_a_key() -> None:
    """Nothing is known of it, and nothing fails."""
    fed = Fed()
    signals = fed.run(np.full((300, CHANNELS), np.nan))
    assert (signals.size_B2 == 0.0).all()
    assert (far(fed.run(noise(40, seed=24))) == 0.0).all()


def test_a_first_look_is_robust() -> None:
    """Median and deviation of the rows that there are, little moved by one outlier in twenty."""
    rows_FTC = np.random.default_rng(25).normal(5.0, 2.0, (1, 3_000, 2))
    rows_FTC[0, :1_000, 1] = np.nan
    rows_FTC[0, ::20, 0] = 1e9
    (center_FC, scale_FC), step_FC = first_level(rows_FTC), first_step(rows_FTC)
    np.testing.assert_allclose(center_FC, 5.0, atol=0.3)
    np.testing.assert_allclose(scale_FC, 2.0, rtol=0.25)
    np.testing.assert_allclose(step_FC, 2.0 * 2.0 / np.sqrt(np.pi), rtol=0.8)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 90), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_cuts_change_no_bit(cuts: list[int], seed: int) -> None:
    """Signals and memory are the same however an epoch's rows are cut into reads."""
    generator = np.random.default_rng(seed)
    values_BC, slot_B = noise(300, seed=seed), generator.integers(0, 3, 300)
    values_BC[generator.random(values_BC.shape) < 0.2] = np.nan
    whole, pieces = Fed(3), Fed(3)
    for fed in (whole, pieces):
        fed.run(noise(400, seed=26), np.arange(400) % 3)
    found, done = whole.read(values_BC, slot_B), 0
    parts: list[Signals] = []
    while done < 300:
        part = slice(done, done + cuts[len(parts) % len(cuts)])
        parts.append(pieces.read(values_BC[part], slot_B[part]))
        done = part.stop
    joined = Signals.concat(parts)
    for name in ("size_B2", "channel_B2"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(found, name), err_msg=name)
    for name, column in whole.lively.state_dict().items():
        np.testing.assert_array_equal(pieces.lively.columns[name], column, err_msg=name)


def test_keys_do_not_mix() -> None:
    """A key's levels are what they would be alone."""
    slot_B, values_BC = np.arange(1_920) % 3, noise(1_920, seed=27)
    values_BC[slot_B == 2] *= 1e4
    together, alone = Fed(3), Fed(3)
    found = far(together.run(values_BC, slot_B))[slot_B == 1]
    expected = [
        alone.epoch(values_BC[part][slot_B[part] == 1], slot_B[part][slot_B[part] == 1])
        for part in (slice(i, i + EPOCH) for i in range(0, 1_920, EPOCH))
    ]
    np.testing.assert_allclose(found, far(Signals.concat(expected)), rtol=1e-9)


def test_the_state_carries_everything() -> None:
    """Levels that take over the state go on with the same bits."""
    fed, other = Fed(), Fed()
    fed.run(noise(700, seed=28))
    other.levels.load_state_dict(fed.levels.state_dict())
    other.lively.load_state_dict(fed.lively.state_dict())
    other.window_KTC, other.age_K = fed.window_KTC.copy(), fed.age_K.copy()
    values_BC = noise(300, seed=29) + np.array([0.0, 40.0, 0.0])
    np.testing.assert_array_equal(fed.run(values_BC).size_B2, other.run(values_BC).size_B2)


def test_the_configured_acceptance_is_the_levels_too() -> None:
    """`scorers.gate.quarantine_*` says for statistics, incidents and levels alike what lasts."""
    gate = {"quarantine_min": 70, "quarantine_share": 0.1, "quarantine_max": 90}
    config = load_config({"scorers": {"gate": gate}}, environ={})
    modality = SensorModality.build(config, Schema(("a", "b")))
    assert modality.core.levels.acceptance == Acceptance(70, 0.1, 90)
