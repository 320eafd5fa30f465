"""Every scorer keeps the contract of `Scorer`: each modality's core, and the shared ones on it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.checkpoint.snapshot import snapshot
from streamssl.data.events import EventBatch
from streamssl.data.results import Decisions
from streamssl.scorers import SCORERS, Scorer, Seen
from streamssl.scorers.scored import Scored
from streamssl.stream.model import StreamModel
from streamssl.telemetry.stages import Stages
from tests.modalities.examples import EXAMPLES

LEARNT = 600
# A toy event has no window, and nothing is said of it.
CASES = [
    (kind, name)
    for kind in EXAMPLES
    for name in ("core", *SCORERS)
    if (kind, name) != ("toy", "window")
]
every_scorer = pytest.mark.parametrize(("kind", "name"), CASES)


class Trained:
    """A stream's model after some epochs of ordinary events, and one of its scorers."""

    def __init__(self, kind: str, name: str) -> None:
        self.example = EXAMPLES[kind]
        config = self.example.config(
            scorers={"residual": {"enabled": True}, "memory": {"enabled": True}}
        )
        self.batch = self.example.batch(LEARNT + 300, num_keys=1, seed=4)
        self.model = StreamModel(schema=self.batch.schema, config=config, stages=Stages())
        self.scorer = self.of(name)
        for epoch, start in enumerate(range(0, LEARNT, 50), 1):
            self.model.advance(self.batch.take(slice(start, start + 50)), epoch)
            self.model.close(epoch, Decisions("count"))

    def of(self, name: str) -> Scorer:
        """The scorer of that name."""
        names = {"core": self.model.config.modality.core_name}
        return self.model.ensemble.scorers[names.get(name, name)]

    def usual(self, num_events: int, start: int = 0) -> EventBatch:
        """Ordinary events that were not learned."""
        return self.batch.take(slice(LEARNT + start, LEARNT + start + num_events))

    def judged(self, batch: EventBatch) -> Scored:
        """What the ensemble makes of a batch; the context stays."""
        return self.model.judge(batch, 100).scored

    def seen(self, batch: EventBatch) -> Seen[Any]:
        """What scorers see of a batch."""
        return self.judged(batch).seen


@cache
def shared(kind: str, name: str) -> Trained:
    """For tests that only read."""
    return Trained(kind, name)


@every_scorer
def test_scores_are_finite_and_not_negative(kind: str, name: str) -> None:
    """No event, however far or empty, gets a score below 0 or none at all."""
    trained = shared(kind, name)
    odd = trained.example.missing(trained.usual(6), np.array([0, 1]))
    score_B = trained.scorer.score(trained.seen(trained.example.huge(odd, np.array([2, 3]))))
    assert score_B.shape == (6,)
    assert np.isfinite(score_B).all()
    assert (score_B >= 0.0).all()


@every_scorer
def test_unusual_events_score_higher(kind: str, name: str) -> None:
    """A spoiled event scores above most ordinary ones."""
    trained = shared(kind, name)
    rows = np.arange(5, 200, 10)
    spoiled = trained.usual(200)
    for part in range(len(trained.model.modality.parts)):
        spoiled = trained.example.spoil(spoiled, rows, part)
    usual_B = trained.scorer.score(trained.seen(trained.usual(200)))
    unusual_B = trained.scorer.score(trained.seen(spoiled))[rows]
    assert (unusual_B > np.quantile(usual_B, 0.9)).mean() > 0.9


@every_scorer
def test_score_and_contributions_change_nothing(kind: str, name: str) -> None:
    """Reading leaves the state as it was, bit for bit."""
    trained = shared(kind, name)
    before = snapshot(trained.scorer.state_dict()).arrays
    probe = trained.seen(trained.usual(10))
    trained.scorer.score(probe)
    trained.scorer.contributions(probe)
    after = snapshot(trained.scorer.state_dict()).arrays
    assert before.keys() == after.keys()
    for key, value in before.items():
        np.testing.assert_array_equal(value, after[key])


@every_scorer
@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 40))
def test_rows_do_not_depend_on_those_beside_them(kind: str, name: str, cut: int) -> None:
    """Scores of two parts are those of the whole, to the last bit."""
    trained = shared(kind, name)
    whole, scorer = trained.seen(trained.usual(40)), trained.scorer
    parts = [scorer.score(whole.take(slice(0, cut))), scorer.score(whole.take(slice(cut, None)))]
    np.testing.assert_array_equal(np.concatenate(parts), scorer.score(whole))


@every_scorer
def test_state_carries_everything(kind: str, name: str) -> None:
    """A scorer that takes over the state goes on with the same bits."""
    trained, other = Trained(kind, name), Trained(kind, name)
    probe = trained.judged(trained.usual(30))
    other.scorer.learn(probe.seen, other.model.ensemble.admit(probe), np.random.default_rng(1))
    other.scorer.load_state_dict(trained.scorer.state_dict())
    admitted = trained.model.ensemble.admit(probe)
    for each in (trained, other):
        each.scorer.learn(probe.seen, admitted, np.random.default_rng(9))
    again = trained.seen(trained.usual(30, start=30))
    np.testing.assert_array_equal(trained.scorer.score(again), other.scorer.score(again))


@every_scorer
def test_contributions_name_the_part(kind: str, name: str) -> None:
    """They are not negative, one per part, and mostly largest for the only spoiled one.

    Of texts a residual tells less: how far a learned code is from its reconstruction.
    """
    trained = shared(kind, name)
    rows, named = np.arange(5, 200, 10), []
    certain = trained.batch.fields if name == "residual" else trained.model.modality.parts
    for part in range(len(trained.model.modality.parts)):
        spoiled = trained.example.spoil(trained.usual(200), rows, part)
        contribution_AP = trained.scorer.contributions(trained.seen(spoiled).take(rows))
        assert contribution_AP.shape == (len(rows), len(trained.model.modality.parts))
        assert (contribution_AP >= 0.0).all()
        if trained.model.modality.parts[part] in certain:
            named.append(contribution_AP.argmax(1) == part)
    assert np.mean(named) >= 0.8


@every_scorer
def test_an_empty_batch_is_a_batch(kind: str, name: str) -> None:
    """Nothing in, nothing out, nothing learned that breaks."""
    trained = Trained(kind, name)
    empty = trained.judged(trained.usual(0))
    assert trained.scorer.score(empty.seen).shape == (0,)
    num_parts = len(trained.model.modality.parts)
    assert trained.scorer.contributions(empty.seen).shape == (0, num_parts)
    admitted = trained.model.ensemble.admit(empty)
    trained.scorer.learn(empty.seen, admitted, np.random.default_rng(0))
