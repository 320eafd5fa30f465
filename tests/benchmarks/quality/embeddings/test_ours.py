"""Our vectors: exactly what is published, with anchors that leave the learner as it was."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.embeddings.fleet import as_fleet, events
from benchmarks.quality.embeddings.ours import OurVectors, anchor_cosines
from streamssl.stream import StreamLearner
from tests.benchmarks.quality.embeddings.fleets import small_fleet, small_series

LIGHT = ("learn.burst_steps=4", "learner.hidden=16", "learner.embedding=8", "modality.window=8")


def test_vectors_are_the_published_ones_whatever_is_asked_in_between() -> None:
    """Checkpoints change no bit; anchors are compared between them, by machine."""
    fleet = small_fleet(num_rows=1_600, num_machines=2)
    vectors, anchors = OurVectors("ours", LIGHT).embed(fleet, seed=0)
    settings = {
        "learn": {"burst_steps": 4},
        "learner": {"hidden": 16, "embedding": 8},
        "modality": {"window": 8},
    }
    learner = StreamLearner.from_config(settings)
    published_BD = learner.process(events(fleet, 0, 1_600)).embedding_BD
    np.testing.assert_array_equal(vectors.values_TKD.reshape(-1, 72), published_BD)
    assert list(anchors) == ["750 → 1,500", "750 → 1,500 mapped"]
    assert all(one.units == fleet.keys and 0 < one.value <= 1 for one in anchors.values())


def test_the_seed_is_the_learners() -> None:
    """Another seed, other vectors."""
    fleet = small_fleet(num_rows=100, num_machines=2)
    first, other = (OurVectors("ours", LIGHT).embed(fleet, seed)[0] for seed in (0, 1))
    assert not np.array_equal(first.values_TKD, other.values_TKD)


def test_a_turned_space_comes_back_by_the_fitted_map() -> None:
    """The cosine is low as the vectors are and 1 after the map; of equal spaces both are 1."""
    rng = np.random.default_rng(0)
    before = rng.standard_normal((400, 3, 6))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    found = anchor_cosines(before, before @ turn + 0.3, ("a", "b", "c"))
    assert found[""].value < 0.6
    assert found[" mapped"].value == pytest.approx(1.0, abs=1e-4)
    assert anchor_cosines(before, before, ("a", "b", "c"))[""].value == pytest.approx(1.0)


def test_spaces_that_share_nothing_stay_apart() -> None:
    """A map is judged on anchors that did not fit it."""
    rng = np.random.default_rng(0)
    before, after = rng.standard_normal((2, 40, 3, 30))
    assert anchor_cosines(before, after, ("a", "b", "c"))[" mapped"].value < 0.4


def test_series_become_keys_of_one_stream() -> None:
    """Machines report in turn, each as long as the shortest; times go on where they are told to."""
    fleet = as_fleet("tiny", [small_series("m0"), small_series("m1", num_rows=1_000)])
    batch = events(fleet, 10, 12, first_row=500)
    assert fleet.values_TKC.shape == (1_000, 2, 2)
    assert batch.keys.to_pylist() == ["m0", "m1", "m0", "m1"]
    assert batch.event_time.tolist() == [500.0, 500.5, 501.0, 501.5]
    np.testing.assert_array_equal(batch.values_BC[1], fleet.values_TKC[10, 1])
