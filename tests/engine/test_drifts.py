"""Every drift is announced once, by the first transaction after the epoch whose end showed it."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.drift import Drift
from streamssl.data.events import EventBatch
from streamssl.data.results import Decisions, EpochReport, Results
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import Reproduction
from streamssl.host.local import LocalHost
from streamssl.telemetry import Metrics
from streamssl.transport.journal import JournalRecord, decode_record
from streamssl.transport.memory import MemoryTransport
from tests.engine.fake_learner import FakeLearner
from tests.engine.world import Hook, World, nothing

# Checkpoints so often that a kill may come between one and the announcement of what it knows.
OFTEN = {"every_events": 10, "every_s": 1e9}


class DriftingLearner(FakeLearner):
    """Finds a drift, or two, at the end of every third epoch."""

    drifts: tuple[Drift, ...] = ()

    def advance(self, batch: EventBatch) -> Results:
        return replace(super().advance(batch), drifts=self.drifts)

    def close_epoch(self, decisions: Decisions) -> EpochReport:
        report = super().close_epoch(decisions)
        epoch = report.epoch
        found = [Drift("scores", epoch, epoch + 0.5, float(epoch), 0.01, self.weight)]
        found += [Drift("loss.moco", epoch, epoch + 0.5, 1.0, 0.5, 0.75)] if epoch % 2 else []
        self.drifts = tuple(found) if epoch % 3 == 0 else ()
        return replace(report, drifts=self.drifts)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"drifts": [list(drift) for drift in self.drifts]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.drifts = tuple(Drift(*drift) for drift in state["drifts"])


class DriftingWorld(World):
    """Its learners are such."""

    def new_learner(self, hook: Hook = nothing) -> DriftingLearner:
        return DriftingLearner(hook=hook)


def announced(world: World) -> list[dict[str, Any]]:
    """The drifts that the spaces topic holds, each under the name of what drifted."""
    records = world.broker.records("streamssl.spaces")
    values = [(record.key, json.loads(record.value or b"")) for record in records]
    drifts = [(key, value) for key, value in values if value["kind"] == "drift"]
    assert all(key == f"0/drift/{value['what']}".encode() for key, value in drifts)
    return [value for _, value in drifts]


def expected(world: World) -> list[tuple[str, int]]:
    """What is to be announced: the drifts of the epochs after which something was published."""
    last = max(record.epoch for record in world.journal())
    epochs = range(3, last, 3)
    return [
        (what, epoch)
        for epoch in epochs
        for what in (("scores", "loss.moco") if epoch % 2 else ("scores",))
    ]


@settings(max_examples=12, deadline=None)
@given(moments=st.lists(st.integers(1, 60), max_size=6), cuts=st.integers(0, 2**32))
def test_kills_at_any_moment_announce_each_drift_once(moments: list[int], cuts: int) -> None:
    """A drift lands with the first results of the next epoch, whatever happens in between."""
    with tempfile.TemporaryDirectory() as folder:
        world = DriftingWorld(Path(folder), num_partitions=3, checkpoint=OFTEN)
        world.produce_noise(150, seed=cuts)
        world.run_until_drained(moments, random.Random(cuts))
        world.engine().run()
        values = announced(world)
        assert [(value["what"], value["epoch"]) for value in values] == expected(world)
        for record in world.journal():
            assert all(drift.epoch == record.epoch - 1 for drift in record.drifts)


def test_a_replay_of_the_journal_announces_the_same_bytes(tmp_path: Path) -> None:
    """The announcement follows from the journal, like every other output."""
    world = DriftingWorld(tmp_path, num_partitions=3)
    world.produce_noise(150)
    world.engine(cuts=random.Random(1)).run()
    transport, learner = MemoryTransport(world.broker), world.new_learner()
    reproduction = Reproduction(LocalHost(learner), world.new_codec(), transport, Positions(), "")
    values: list[bytes | None] = []
    for position, record in transport.journal(0)[0]:
        applied = reproduction.apply(record, position, publishing=True)
        assert applied is not None
        values += [r.value for r in applied.records]
    assert values == [record.value for record in world.broker.records("streamssl.spaces")]
    assert len(values) == 2 + len(expected(world))


def test_what_is_announced_is_counted_and_shown(tmp_path: Path) -> None:
    """The message has all fields of the drift; metric, summary and its newest drift agree."""
    world, metrics = DriftingWorld(tmp_path), Metrics()
    world.produce_noise(60)
    summary = world.engine(metrics=metrics).run()
    first = announced(world)[0]
    assert first["kind"] == "drift"
    assert first["instance"] == 0
    assert (first["what"], first["epoch"], first["time"], first["since"]) == ("scores", 3, 3.5, 3.0)
    assert first["before"] == 0.01
    wanted = expected(world)
    for what in ("scores", "loss.moco"):
        number = sum(one == what for one, _ in wanted)
        assert summary.drifts[what] == number
        assert metrics.drifts.labels(what)._value.get() == number
    newest = announced(world)[-1]
    assert summary.last_drift == {name: newest[name] for name in Drift._fields}


def test_partitions_that_leave_take_no_announcement_with_them() -> None:
    """A record of which nothing landed announces nothing; one that lands keeps its drifts."""
    drift = Drift("scores", 3, 3.5, 3.0, 0.01, 0.2)
    record = JournalRecord(
        instance=0, seq=1, epoch=4, ranges={0: (0, 1, 1, 7), 1: (0, 1, 1, 7)}, drifts=[drift]
    )
    assert record.without({1}).drifts == [drift]
    assert record.without({0, 1}).drifts == []
    assert decode_record(record.encode()).drifts == [drift]
    assert decode_record(b'{"instance":0,"seq":1,"epoch":4}').drifts == []


def test_positions_of_before_drifts_still_load() -> None:
    """A checkpoint that knows none begins at epoch 0; one that does goes on after it."""
    state = Positions(drifted=7).state_dict()
    assert Positions.from_state_dict(state).drifted == 7
    del state["drifted"]
    assert Positions.from_state_dict(state).drifted == 0
