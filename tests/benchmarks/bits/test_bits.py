"""The recorder of bits: the same for the same run, another for another, and said where."""

from __future__ import annotations

from benchmarks.bits.__main__ import differences
from benchmarks.bits.record import STREAMS, configuration, record, stream

SHAPE = {"n": 360, "channels": 2, "keys": 2, "partitions": 2}
SECTIONS = STREAMS["embeddings as JSON"][1] | {
    "learner": {"embedding": 4, "hidden": 8, "projection": 4},
    "learn": {"burst_after": 64, "burst_steps": 4},
}


def test_the_same_run_has_the_same_digests() -> None:
    """Every figure is equal when the run is repeated."""
    one, again = (record(stream(**SHAPE, seed=1), configuration(SECTIONS)) for _ in range(2))
    assert differences({"s": one}, {"s": again}) == []


def test_other_events_have_other_digests() -> None:
    """One value a bit off shows in what is published, in the scores and in the state."""
    one, other = (stream(**SHAPE, seed=1) for _ in range(2))
    other.values_BC[100, 0] += 1e-3
    digests = [record(batch, configuration(SECTIONS)) for batch in (one, other)]
    differing = {name for name in digests[0] if digests[0][name] != digests[1][name]}
    assert {"published", "columns", "raw_scores", "state", "arrays", "restored"} <= differing


def test_a_difference_names_the_stream_and_the_figure() -> None:
    """A person sees at once which stream's what is another."""
    found = differences({"s": {"state": 1, "epoch": 3}}, {"s": {"state": 2, "epoch": 3}})
    assert found == ["s: state was 1, is 2"]
