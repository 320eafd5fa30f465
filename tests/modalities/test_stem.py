"""The stem of sensors: what its slices look at, and learn from, is what the rows say one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.arithmetic.scan import BLOCK
from streamssl.data.events import EventBatch, Float32Array, IntArray
from streamssl.data.keys import Runs
from streamssl.modalities.sensor.past_rows import PastRows, RowsOfBatch
from streamssl.modalities.sensor.pooled import MARK_EVERY, PooledAverages, PooledUnits
from streamssl.modalities.sensor.stem import MOST_CHANNELS, SensorStem
from streamssl.modalities.sensor.unusual import UnusualRows
from streamssl.objectives.closed_form import LinearMap
from streamssl.stream import StreamLearner

CUTS = st.lists(st.integers(0, 199), max_size=6).map(sorted)


def keys_and_ages(num_rows: int, num_keys: int, seed: int) -> tuple[IntArray, IntArray]:
    """Slots of rows, and how many rows of the same key came before each."""
    slot_B = np.random.default_rng(seed).integers(0, num_keys, num_rows)
    return slot_B, Runs(slot_B).rank


@settings(max_examples=25, deadline=None)
@given(cuts=CUTS, num_keys=st.integers(1, 4), steps=st.integers(1, 40))
def test_past_rows_are_the_keys_last_ones(cuts: list[int], num_keys: int, steps: int) -> None:
    """However the stream is cut; NaN before a key's first row."""
    slot_B, age_B = keys_and_ages(200, num_keys, steps)
    rows_BC = np.arange(400, dtype=np.float32).reshape(200, 2)
    past = PastRows(num_channels=2, steps=steps)
    past.columns.ensure(num_keys)
    for piece in np.split(np.arange(200), cuts):
        batch = RowsOfBatch(Runs(slot_B[piece]), slot_B[piece], age_B[piece], rows_BC[piece])
        chosen = np.arange(0, len(piece), 3)
        found = past.upto(batch, chosen)
        for place, row in enumerate(piece[chosen].tolist()):
            mine = rows_BC[: row + 1][slot_B[: row + 1] == slot_B[row]][-steps:]
            wanted = np.full((steps, 2), np.nan, np.float32)
            wanted[steps - len(mine) :] = mine
            np.testing.assert_array_equal(found[place], wanted)
        past.write(batch)


@settings(max_examples=15, deadline=None)
@given(cuts=CUTS, num_keys=st.integers(1, 3))
def test_pooled_averages_and_their_marks(cuts: list[int], num_keys: int) -> None:
    """H <- h + rate (v - h); the mark is what it was at the key's last 16th event."""
    slot_B, age_B = keys_and_ages(200, num_keys, 1)
    z_BC = np.random.default_rng(2).normal(size=(204, 3)).astype(np.float32)
    place_B = np.arange(4, 204)
    units = PooledUnits(num_channels=3, num_units=12)
    drive_BH = units.drive(z_BC, place_B).astype(float)
    averages = PooledAverages(units)
    averages.columns.ensure(num_keys)
    held, marks = np.zeros((num_keys, 12)), np.zeros((num_keys, 12))
    for piece in np.split(np.arange(200), cuts):
        runs = Runs(slot_B[piece])
        age_K = age_B[piece][runs.order[runs.starts]]
        found, advance = averages.read(runs, age_K, z_BC, place_B[piece])
        marked = averages.marked(runs, age_B[piece], found, np.arange(len(piece)))
        averages.write(advance)
        for place, row in enumerate(piece.tolist()):
            key = slot_B[row]
            held[key] += units.rate_H * (drive_BH[row] - held[key])
            if age_B[row] % MARK_EVERY == 0:
                marks[key] = held[key]
            np.testing.assert_allclose(found[place], held[key], atol=1e-4)
            np.testing.assert_allclose(marked[place], marks[key], atol=1e-4)


def test_rows_are_unusual_while_large_ones_last() -> None:
    """One large row is none of them; eight in a row are, soon, and are no longer soon after."""
    unusual, runs = UnusualRows(), Runs(np.zeros(64, np.int64))
    unusual.columns.ensure(1)
    quiet = np.random.default_rng(0).normal(size=(4_096, 2)).astype(np.float32)
    found_B, _ = unusual.read(runs, np.zeros(1, np.int64), np.full((64, 2), 9.0, np.float32))
    assert not found_B.any()  # Nothing is known yet.
    unusual.learn(quiet)
    residual = np.zeros((64, 2), np.float32)
    residual[5], residual[20:40] = 9.0, 9.0
    found_B, _ = unusual.read(runs, np.zeros(1, np.int64), residual)
    assert not found_B[:22].any()
    assert found_B[25:40].all()
    assert not found_B[44:].any()
    again = UnusualRows()
    again.load_state_dict(unusual.state_dict())
    assert (again.read(runs, np.zeros(1, np.int64), residual)[0] == found_B).all()


@pytest.mark.parametrize("num_channels", [3, MOST_CHANNELS + 4])
def test_the_state_of_blocks_is_the_map_of_what_was_absorbed(num_channels: int) -> None:
    """Of a wide stream the map looks at mixtures: from blocks it is the same in one product."""
    stem = SensorStem(num_channels=num_channels, window=32)
    assert stem.block_map() is None
    rng, mixed = np.random.default_rng(0), min(num_channels, MOST_CHANNELS)
    window_NTC = rng.normal(size=(7, 32, num_channels)).astype(np.float32)
    blocks_NF = stem._blocks(window_NTC)
    mixed_NF = stem._blocks(stem._mixed(window_NTC.reshape(-1, num_channels)).reshape(7, 32, -1))
    weight_FD = rng.normal(size=(mixed_NF.shape[1], 20))
    stem.slices["state"].map = LinearMap(weight_FD, np.zeros(20))
    found = stem.block_map()
    assert found is not None
    assert mixed_NF.shape[1] * num_channels == blocks_NF.shape[1] * mixed
    np.testing.assert_allclose(found(blocks_NF), mixed_NF @ weight_FD, atol=1e-3)


@pytest.mark.parametrize("num_channels", [3, 300])
def test_residuals_have_a_sign_and_a_bound(num_channels: int) -> None:
    """A reading far above what is expected is +15, one far below -15; 300 are projected."""
    rng = np.random.default_rng(0)
    rows_BC = rng.normal(size=(800, num_channels))
    rows_BC[790, 1], rows_BC[795, 1] = 80.0, -80.0
    learner = StreamLearner.from_config(
        {"learn": {"enabled": False}, "learner": {"embedding": 4, "hidden": 4}}
    )
    names = [f"c{channel}" for channel in range(num_channels)]
    learner.learn(EventBatch.from_numpy(rows_BC[:700], fields=names))
    model = learner._model
    assert model is not None
    batch = EventBatch.from_numpy(rows_BC[700:], fields=names, first_offset=700)
    found = model.judge(batch, learner.epoch).scored.seen.measured.residual_BC
    assert found[[90, 95], 1].tolist() == [15.0, -15.0]
    assert np.abs(found[:90]).max() < 7.0
    assert 0.4 < (found[:90] > 0.0).mean() < 0.6


def sample(num: int, stem: SensorStem, age: int, **columns: Any) -> dict[str, Any]:
    """Kept events of an age."""
    rng = np.random.default_rng(0)

    def normal(size: int) -> Float32Array:
        return rng.normal(size=(num, size)).astype(np.float32)

    past, pooled, fault = (form.sums for form in stem.slices.values())
    size = len(past["past"].left_F)
    return {
        "age": np.full(num, age),
        "past": normal(size),
        "future": normal(len(past["future"].left_F)),
        "blocks": normal(size),
        "pooled": normal(len(pooled["total"].left_F)),
        "pooled_before": normal(len(pooled["total"].left_F)),
        "fault": normal(len(fault["ordinary"].left_F)),
        "unusual": np.zeros(num, bool),
    } | columns


@pytest.mark.parametrize(
    ("age", "absorbed"),
    [
        (10, (0, 0, 0)),  # too young for anything
        (64 + 20, (0, 9, 9)),  # its future is not known
        (160 + 2, (9, 0, 9)),  # the mark is too near
        (BLOCK * 100 + 7, (9, 9, 9)),
    ],
)
def test_what_is_absorbed_is_known(age: int, absorbed: tuple[int, int, int]) -> None:
    """Each slice takes in what it may, and nothing of before that is known."""
    stem = SensorStem(num_channels=3, window=32)
    admitted = np.arange(10) > 0
    stem.absorb(sample(10, stem, age), admitted)
    assert tuple(form.num_absorbed for form in stem.slices.values()) == absorbed


def test_unusual_rows_are_absorbed_though_the_gate_holds_them_back() -> None:
    """A fault is what the statistics must not learn, and the fault slice must."""
    stem = SensorStem(num_channels=3, window=32)
    unusual = np.arange(10) < 4
    stem.absorb(sample(10, stem, 1_000, unusual=unusual), ~unusual)
    sums = stem.slices["fault"].sums
    assert [float(sums[name].weight) for name in ("ordinary", "unusual")] == [6.0, 4.0]
