"""A clock that is years ahead moves neither ages nor days."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from streamssl.data.events import EventBatch
from streamssl.stream import StreamLearner
from streamssl.stream.model import StreamModel
from streamssl.stream.stream_time import StreamTime
from tests.stream.streams import small_learner, stream

YEAR_9999 = 253_402_300_799.0
LENGTH = 900


def one_wrong_clock(batch: EventBatch, row: int) -> EventBatch:
    """The batch, one of its events dated thousands of years ahead."""
    event_time = batch.event_time.copy()
    event_time[row] = YEAR_9999
    return replace(batch, event_time=event_time)


def run(learner: StreamLearner, *, wrong: bool) -> StreamModel:
    """Process a stream, an early event of it with a wrong clock or not."""
    batch = stream(LENGTH)
    learner.process(one_wrong_clock(batch, 70) if wrong else batch)
    assert learner._model is not None
    return learner._model


def test_the_moment_follows_the_medians() -> None:
    """It is the median of epochs' medians; seconds passed are never negative."""
    time = StreamTime()
    assert time.learn(np.array([10.0, 11.0, YEAR_9999])) == 0.0
    assert time.now_s == 11.0
    assert time.learn(np.zeros(0)) == 0.0
    passed = [time.learn(np.array([t])) for t in (20.0, 30.0, YEAR_9999, 40.0, 50.0, 60.0)]
    assert passed == [0.0, 9.0, 0.0, 10.0, 10.0, 10.0]
    assert time.now_s == 50.0
    other = StreamTime()
    other.load_state_dict(time.state_dict())
    assert other.learn(np.array([70.0])) == time.learn(np.array([70.0]))


def test_a_day_is_not_over() -> None:
    """`N/day`: the share of events allowed stays that of a stream with right clocks."""
    thresholds = [
        run(small_learner(alerts={"budget": "20/day"}), wrong=wrong).ensemble.budget
        for wrong in (False, True)
    ]
    right, wrong = (budget.threshold() for budget in thresholds)
    assert 0.0 < right < 1.0
    assert wrong == pytest.approx(right, rel=0.2)


def test_replayed_windows_do_not_age() -> None:
    """`replay.max_age`: as many windows are held as with right clocks, and old ones go."""
    held = [
        run(small_learner(replay={"max_age": 300.0}), wrong=wrong).learner.replay_records
        for wrong in (False, True)
    ]
    assert held[1] == pytest.approx(held[0], abs=1)
    forever = run(small_learner(), wrong=False).learner.replay_records
    assert held[0] < forever


def test_idle_keys_go_and_live_keys_stay() -> None:
    """`modality.key_ttl`: a key idle for longer is dropped, by the stream's own moment."""
    learner = small_learner(modality={"window": 8, "key_ttl": 200.0})
    batch = stream(LENGTH)
    keys = np.array(batch.keys.to_pylist())
    idle = keys == keys[0]
    idle[:100] = False
    learner.process(one_wrong_clock(batch.take(np.flatnonzero(~idle)), 70))
    assert learner._model is not None
    live = {key for _, key in learner._model.keys.held()}
    assert live == set(keys.tolist()) - {keys[0]}
