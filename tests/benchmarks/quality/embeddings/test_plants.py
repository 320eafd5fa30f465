"""Generated plants: the seed decides all, and the known incidents are all that is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.embeddings.fleet import Fleet
from benchmarks.quality.embeddings.kinds import (
    FIRST_PALETTE,
    SECOND_PALETTE,
    ProcessKind,
    SensorKind,
)
from benchmarks.quality.embeddings.plants import PALETTES, RegimePlant, make_plant, seeded
from streamssl.demo.sensor.plant import FIELDS

NUM_MACHINES, NUM_ROWS = 6, 4_000


def small_plant(name: str, seed: int = 0) -> Fleet:
    return make_plant(name, seed, num_machines=NUM_MACHINES, num_rows=NUM_ROWS)


@pytest.mark.parametrize("name", PALETTES)
def test_known_incidents_are_all_that_is_wrong(name: str) -> None:
    """Every row that differs from the healthy plant is in an incident, and all of these show."""
    fleet = small_plant(name)
    healthy = RegimePlant(num_machines=NUM_MACHINES, rng=seeded(name, 0)[0])
    changed_TKC = fleet.values_TKC != healthy.advance(NUM_ROWS).astype(np.float32)
    known, inside_TK = fleet.incidents, np.zeros((NUM_ROWS, NUM_MACHINES), np.bool_)
    assert known is not None
    for k, start, stop, kind in zip(
        known.machine_I, known.start_I, known.stop_I, known.kind_I, strict=True
    ):
        assert not inside_TK[start:stop, k].any()
        inside_TK[start:stop, k] = True
        fault = PALETTES[name][known.kinds[kind]]
        expected = len(fault.effects) if isinstance(fault, ProcessKind) else 1
        assert changed_TKC[start:stop, k].any(axis=0).sum() == expected
    assert not changed_TKC[~inside_TK].any()
    assert (np.diff(known.start_I) >= 0).all()


def test_the_seed_decides_everything() -> None:
    """Same seed, same plant; another seed or palette, another plant with other names."""
    first, again, other = small_plant("plant"), small_plant("plant"), small_plant("plant", 1)
    np.testing.assert_array_equal(first.values_TKC, again.values_TKC)
    assert not np.array_equal(first.values_TKC, other.values_TKC)
    assert not set(first.keys) & set(other.keys)
    assert not np.array_equal(first.values_TKC, small_plant("plant-other-kinds").values_TKC)


def test_palettes_hold_at_least_twelve_kinds_and_share_none() -> None:
    """Of sensors and of the process, both."""
    assert not set(FIRST_PALETTE) & set(SECOND_PALETTE)
    for palette in (FIRST_PALETTE, SECOND_PALETTE):
        assert len(palette) >= 12
        assert {type(kind) for kind in palette.values()} == {SensorKind, ProcessKind}


def test_faults_come_every_240_rows_or_so_after_a_quiet_time() -> None:
    """None in the first rows of a machine, few before two fifths of them, then many, every kind."""
    known = make_plant("plant", num_machines=4).incidents
    assert known is not None
    assert known.start_I.min() >= 1_500
    assert set(known.kind_I.tolist()) == set(range(len(FIRST_PALETTE)))
    starts = [known.start_I[known.machine_I == machine] for machine in range(4)]
    late = np.concatenate([np.diff(start_I[start_I > 4_100]) for start_I in starts])
    assert late.mean() == pytest.approx(240, rel=0.05)
    assert max(np.diff(start_I).max() for start_I in starts) > 1_000


def test_regimes_move_the_load() -> None:
    """A machine's speed is lowest in the first regime and highest in the last."""
    plant = RegimePlant(num_machines=NUM_MACHINES, rng=np.random.default_rng(2))
    values_TKC = plant.advance(NUM_ROWS)
    regime_TK, rpm_TK = np.array(plant.regimes), values_TKC[..., FIELDS.index("rpm")]
    means = [rpm_TK[regime_TK == regime].mean() for regime in range(3)]
    assert means == sorted(means)
    assert 150 < NUM_ROWS * NUM_MACHINES / (np.diff(regime_TK, axis=0) != 0).sum() < 1_500
