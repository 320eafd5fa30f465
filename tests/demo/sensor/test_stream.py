"""The demo's stream: reproducible, healthy until told otherwise, faults where it says."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from streamssl.config import load_config
from streamssl.data.events import BoolArray, FloatArray
from streamssl.demo.demos import DEFAULT_CONFIG
from streamssl.demo.script import InjectedFault
from streamssl.demo.sensor.faults import KINDS, SensorSegment
from streamssl.demo.sensor.plant import FIELDS, Plant, PlantSettings, machine_names
from streamssl.demo.sensor.stream import SensorScript

HISTORY_S, LIVE_S, NUM_MACHINES, RATE = 4.0, 40.0, 4, 200.0


def stream(
    seed: int = 3, live_s: float = LIVE_S, grace_s: float = 3.0, later_every_s: float = 3.5
) -> SensorScript:
    settings = PlantSettings(
        num_machines=NUM_MACHINES, rate=RATE, history_s=HISTORY_S, later_every_s=later_every_s
    )
    return SensorScript(
        origin=1_000.0, seed=seed, live_s=live_s, grace_s=grace_s, settings=settings
    )


def play(source: SensorScript, pieces: tuple[int, ...] = (2200,)) -> tuple[FloatArray, FloatArray]:
    blocks = [source.advance(num_ticks) for num_ticks in pieces]
    times = np.concatenate([block.event_time_B for block in blocks])
    return times, np.concatenate([block.values_BC for block in blocks])


def healthy_values(seed: int = 3) -> FloatArray:
    """The same stream without any fault."""
    return play(stream(seed, live_s=0.0))[1]


def rows_of(fault: InjectedFault, times_B: FloatArray) -> BoolArray:
    machine = machine_names(NUM_MACHINES).index(fault.key)
    of_key_B = np.arange(len(times_B)) % NUM_MACHINES == machine
    rows = of_key_B & (times_B >= fault.start - 1e-9) & (times_B <= fault.end + 1e-9)
    return np.asarray(rows)


def test_same_seed_same_events_and_faults_however_it_is_cut() -> None:
    """The stream is a function of its seed, not of how it is asked for."""
    whole, cut = stream(), stream()
    times_B, values_BC = play(whole)
    cut_times_B, cut_values_BC = play(cut, (1, 0, 699, 1000, 3, 497))
    np.testing.assert_array_equal(times_B, cut_times_B)
    np.testing.assert_array_equal(values_BC, cut_values_BC)
    assert whole.faults == cut.faults


def test_other_seed_other_stream() -> None:
    """The seed decides values and faults."""
    one, other = stream(1), stream(2)
    assert not np.array_equal(play(one)[1], play(other)[1])
    assert one.faults != other.faults


def test_every_difference_from_the_healthy_stream_is_a_declared_fault() -> None:
    """Ground truth is complete and exact: faults touch their rows and field, nothing else."""
    source = stream()
    times_B, values_BC = play(source)
    changed_BC = values_BC != healthy_values()
    expected_BC = np.zeros_like(changed_BC)
    for fault in source.faults:
        expected_BC[rows_of(fault, times_B), FIELDS.index(fault.field)] = True
        first = np.flatnonzero(changed_BC[:, FIELDS.index(fault.field)] & rows_of(fault, times_B))
        assert times_B[first[0]] - fault.start < 0.5
    assert not np.any(changed_BC & ~expected_BC)
    assert {fault.kind for fault in source.faults} == set(KINDS)


def test_history_has_no_fault_and_each_fault_can_be_judged_before_the_end() -> None:
    """Faults begin after the history and end, grace included, before the stream does."""
    source = stream(grace_s=2.0)
    play(source)
    assert len(source.faults) >= 10
    for fault in source.faults:
        assert fault.start >= 1_000.0 + 2.0
        assert 1.0 <= fault.end - fault.start <= 3.0
        assert fault.end <= 1_000.0 + LIVE_S - 2.0


def test_faults_of_one_machine_keep_their_distance() -> None:
    """A fault is over, grace included, before its machine gets the next one."""
    source = stream(live_s=120.0)
    play(source, (6_200,))
    for key in source.keys:
        of_key = [fault for fault in source.faults if fault.key == key]
        gaps = [later.start - fault.end for fault, later in pairwise(of_key)]
        assert len(gaps) > 5
        assert min(gaps) > 5.0


def test_first_round_of_kinds_comes_quickly_later_ones_are_rare() -> None:
    """A short run shows every kind; in a long one no machine is faulty a large part of the time."""
    source = stream(live_s=200.0, later_every_s=20.0)
    play(source, (9_000,))
    gaps = [later.start - fault.start for fault, later in pairwise(source.faults)]
    np.testing.assert_allclose(gaps[:6], 3.5, atol=0.05)
    np.testing.assert_allclose(gaps[6:], 20.0, atol=0.05)
    assert {fault.kind for fault in source.faults[:7]} == set(KINDS)


def test_events_are_evenly_spaced_json_with_every_field() -> None:
    """Keys take turns, event times step by 1 / rate, values are plain JSON with ISO time."""
    block = stream().advance(2)
    pairs = list(block.encoded())
    assert [key.decode() for key, _ in pairs] == list(machine_names(NUM_MACHINES)) * 2
    np.testing.assert_allclose(np.diff(block.event_time_B), 1 / RATE, atol=1e-6)
    assert block.event_time_B[0] == 1_000.0 - HISTORY_S
    assert pairs[0][1].startswith(b'{"time":"1970-01-01T00:16:36.000+00:00","rpm":')
    assert all(f'"{field}":'.encode() in pairs[0][1] for field in FIELDS)


def test_encoded_time_is_the_ground_truths_time() -> None:
    """An event at a fault's first reading is never told to be earlier than the fault."""
    settings = PlantSettings(history_s=0.0, first_fault_s=0.5)
    source = SensorScript(origin=1_795_382_848.123456, live_s=20.0, settings=settings)
    block = source.advance(100)
    texts = [msgspec.json.decode(value)["time"] for _, value in block.encoded()]
    told_B = np.array([datetime.fromisoformat(text).timestamp() for text in texts])
    np.testing.assert_allclose(told_B, block.event_time_B, atol=1e-5)
    fault = source.faults[0]
    machine = source.keys.index(fault.key)
    assert np.abs(told_B[machine :: len(source.keys)] - fault.start).min() < 1e-5


def test_the_daemons_configuration_knows_the_streams_fields() -> None:
    """The package's own configuration is valid, and lists exactly what the script sends."""
    config = load_config(DEFAULT_CONFIG, environ={})
    assert config.modality.kind == "sensor"
    assert tuple(config.modality.columns().numbers) == FIELDS


def test_healthy_sensors_are_coupled_noisy_and_on_their_own_level() -> None:
    """Current follows torque, voltage sags with current, machines differ, nothing is constant."""
    plant = Plant(num_machines=3, ticks_per_s=50.0, rng=np.random.default_rng(5))
    values_TMC = plant.advance(2_000)
    assert np.all(np.isfinite(values_TMC))
    assert np.all(values_TMC.std(0) > plant.noise_MC)
    correlation_CC = np.asarray(np.corrcoef(values_TMC[:, 0].T))
    torque, current, voltage = (FIELDS.index(f) for f in ("torque", "current", "voltage"))
    assert correlation_CC[torque, current] > 0.95
    assert correlation_CC[current, voltage] < -0.5
    level_MC = values_TMC.mean(0)
    assert np.all(np.abs(np.diff(level_MC, axis=0)) > 0.0)


def shape(kind: str, num: int = 100) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(0)
    past_D, healthy_L = rng.normal(50.0, 1.0, 50), rng.normal(50.0, 1.0, num)
    segment = SensorSegment(healthy_L=healthy_L, past_D=past_D, noise=1.0, rng=rng)
    return KINDS[kind][0](segment), healthy_L


def test_shapes_are_what_their_names_say() -> None:
    """Each kind distorts a sensor the way its name says, by a bounded amount."""
    faulty, healthy = shape("spike_burst")
    assert np.sum(faulty != healthy) == 34
    assert np.all(np.abs(faulty - healthy)[::3] >= 9.0)
    assert np.ptp(shape("stuck")[0]) == 0.0
    faulty, healthy = shape("drift")
    assert faulty[0] == healthy[0]
    assert abs(faulty - healthy)[-1] == pytest.approx(14.0)
    faulty, healthy = shape("level_shift")
    np.testing.assert_allclose(np.abs(faulty - healthy), 10.0)
    faulty, healthy = shape("noise_burst")
    assert 5.0 < float(np.std(faulty - healthy)) < 9.0
    assert not shape("dropout")[0].any()
    faulty, healthy = shape("broken_coupling")
    np.testing.assert_array_equal(faulty[50:], healthy[:50])
