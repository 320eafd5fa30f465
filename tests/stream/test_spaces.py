"""Results say why their embedding space began."""

from __future__ import annotations

from pathlib import Path

from streamssl.data.results import Results
from tests.stream.streams import small_learner, stream

BATCH = stream(600)
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
    learner.save(tmp_path)
    again = small_learner()
    again.load(tmp_path)
    assert again.score(BATCH.take(slice(0, 8))).opening == opening
