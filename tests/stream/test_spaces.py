"""Results say why their embedding space began."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from streamssl.data.results import Results
from streamssl.data.spaces import carried
from streamssl.learner.stem_solver import Solution
from streamssl.modalities.sensor.stem import SensorStem
from streamssl.objectives.closed_form import LinearMap
from streamssl.stream.space import EmbeddingSpace
from tests.stream.streams import small_learner, stream

BATCH = stream(600)
NAN = float("nan")
SIZES = {"state": 20, "character": 12, "fault": 32, "network": 4}


def test_results_name_the_opening_of_their_space(tmp_path: Path) -> None:
    """None while it is provisional, the same for all of an epoch, and after a restart."""
    learner = small_learner()
    pieces = [BATCH.take(slice(done, done + 20)) for done in range(0, len(BATCH), 20)]
    parts = [learner.process(piece) for piece in pieces]
    assert [part.opening is None for part in parts] == [
        part.space.endswith("/provisional") for part in parts
    ]
    opening = parts[-1].opening
    assert parts[0].opening is None
    assert opening is not None
    assert (opening.space, opening.reason) == (parts[-1].space, "warm-up")
    assert {part.name: part.end - part.begin for part in opening.slices} == SIZES
    assert parts[-1].take(slice(0, 5)).opening == opening
    assert Results.concat(parts).opening == opening
    maps = [part.opening.maps for part in parts if part.opening is not None]
    assert maps[0] == ()  # nothing came before
    assert {found.name for found in maps[-1]} <= SIZES.keys()
    learner.save(tmp_path)
    again = small_learner()
    again.load(tmp_path)
    assert again.score(BATCH.take(slice(0, 8))).opening == opening


def test_what_did_not_change_is_carried_as_it_is() -> None:
    """Slices that were solved have a map of their own; the networks' has none until its burst."""
    space = EmbeddingSpace(instance=3, stem=SensorStem(num_channels=2, window=32), network_size=2)
    turned = {name: LinearMap(2.0 * np.eye(20), np.ones(20)) for name in ("state",)}
    assert space.name == "3/provisional"
    assert space.settle(None, trained=False) is None
    first = space.settle(Solution("warm-up", {}, NAN, NAN), trained=False)
    second = space.settle(Solution("doubling", turned, 0.97, 0.9), trained=False)
    third = space.settle(None, trained=True)
    fourth = space.settle(Solution("shift", turned, 0.96, 0.8), trained=True)
    openings = [opening for opening in (first, second, third, fourth) if opening is not None]
    assert [opening.reason for opening in openings] == ["warm-up", "doubling", "warm-up", "shift"]
    assert [opening.previous for opening in openings[1:]] == [o.space for o in openings[:-1]]
    assert [[found.name for found in opening.maps] for opening in openings] == [
        [],
        ["state"],
        ["state", "character", "fault"],
        ["state", "network"],
    ]
    assert [opening.anchor_cosine for opening in openings] == [None, 0.97, None, 0.96]
    vector = np.arange(66.0, dtype=np.float32)[None]
    moved = carried(vector, openings[3])
    np.testing.assert_array_equal(moved[:, :20], 2.0 * vector[:, :20] + 1.0)
    np.testing.assert_array_equal(moved[:, 20:], vector[:, 20:])
    assert space.settle(None, trained=True) is None
