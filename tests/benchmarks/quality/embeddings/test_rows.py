"""Probes of rows: a perfect vector scores 1, a random one chance, and nothing looks ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.quality.embeddings.rows import probe_rows
from benchmarks.quality.embeddings.split import AHEAD, Split, neutral_targets
from tests.benchmarks.quality.embeddings.fleets import (
    machine_vectors,
    random_vectors,
    small_fleet,
)


def test_a_vector_that_names_the_machine_scores_one() -> None:
    """Linear and by neighbours; of the regime it knows nothing."""
    fleet = small_fleet()
    found = probe_rows(machine_vectors(fleet), fleet)
    assert found["machine, linear"].value == found["machine, 20-NN"].value == 1.0
    assert found["machine, linear"].error == 0.0
    assert found["regime"].value == pytest.approx(1 / 3, abs=0.1)


def test_a_random_vector_scores_chance() -> None:
    """One in four machines, one in three regimes, and nothing of what comes."""
    fleet = small_fleet(num_rows=3_000)
    found = probe_rows(random_vectors(fleet), fleet)
    assert found["machine, linear"].value == pytest.approx(0.25, abs=0.08)
    assert found["machine, 20-NN"].value == pytest.approx(0.25, abs=0.08)
    assert found["regime"].value == pytest.approx(1 / 3, abs=0.08)
    assert all(-0.15 < found[f"R² +{ahead}"].value < 0.05 for ahead in AHEAD)


@pytest.mark.parametrize("ahead", AHEAD)
def test_a_vector_that_knows_the_row_ahead_has_an_r_squared_of_one(ahead: int) -> None:
    """And of the other distances less."""
    fleet = small_fleet(num_rows=3_000)
    coming_TKC = np.roll(fleet.values_TKC, -ahead, axis=0)
    found = probe_rows(coming_TKC, fleet)
    assert found[f"R² +{ahead}"].value > 0.95
    assert all(found[f"R² +{other}"].value < 0.95 for other in AHEAD if other != ahead)


def test_regimes_that_the_vector_holds_are_found() -> None:
    """One column a regime: 1."""
    fleet = small_fleet()
    assert fleet.regime_TK is not None
    found = probe_rows(np.eye(3, dtype=np.float32)[fleet.regime_TK], fleet)
    assert found["regime"].value == 1.0


def test_targets_are_in_units_that_no_scale_changes() -> None:
    """Other units and another zero of a machine's channel give the same figures."""
    fleet, rng = small_fleet(), np.random.default_rng(3)
    scale_KC, level_KC = rng.uniform(0.1, 10, (4, 2)), rng.uniform(-5, 5, (4, 2))
    moved_TKC = (fleet.values_TKC * scale_KC + level_KC).astype(np.float32)
    moved = replace(fleet, values_TKC=moved_TKC)
    vectors = random_vectors(fleet)
    for ahead in AHEAD:
        name = f"R² +{ahead}"
        first, second = (probe_rows(vectors, one)[name].value for one in (fleet, moved))
        assert first == pytest.approx(second, abs=1e-4)


def test_training_rows_and_their_targets_come_before_every_test_row() -> None:
    """With the farthest target still before the first test row, and that of the last inside."""
    for num_rows in (400, 8_000, 9_999):
        split = Split.of(num_rows)
        assert split.train[-1] + max(AHEAD) <= split.test[0]
        assert split.test[-1] + max(AHEAD) < num_rows


def test_what_is_tested_teaches_nothing() -> None:
    """One machine's test vectors change no other's hits, later readings no unit of the targets."""
    fleet = small_fleet()
    vectors = machine_vectors(fleet) + 0.5 * random_vectors(fleet, size=4)
    changed, first_test = vectors.copy(), Split.of(len(vectors)).test[0]
    changed[first_test:, 0] = 7.0
    before, after = (probe_rows(x, fleet)["machine, linear"] for x in (vectors, changed))
    assert before.gain_U[1:].tolist() == after.gain_U[1:].tolist()
    assert before.gain_U[0] != after.gain_U[0]
    later = fleet.values_TKC.copy()
    later[first_test:] *= 9.0
    same = neutral_targets(later)[:first_test]
    np.testing.assert_array_equal(same, neutral_targets(fleet.values_TKC)[:first_test])
