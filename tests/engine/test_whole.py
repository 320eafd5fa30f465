"""The engine with the real learner and codec: what the daemon publishes, bit for bit."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from streamssl.codecs.registry import build_codec
from streamssl.events import EventBatch, Results
from streamssl.stream_learner import StreamLearner
from tests.engine.world import Hook, World, nothing, stop_after

SMALL: dict[str, Any] = {
    "learn": {
        "every": 64,
        "max_wait_s": 1e9,
        "burst_after": 100,
        "burst_steps": 6,
        "burst_slice": 2,
        "batch": 16,
    },
    "learner": {"embedding": 8, "hidden": 16, "projection": 8},
    "modality": {"window": 8, "tail_events": 60},
    "objectives": {"moco": {"queue": 32}},
    "checkpoint": {"every_events": 150, "every_s": 1e9},
}


class MortalLearner(StreamLearner):
    """The real learner, which dies where a test says."""

    hook: Hook = staticmethod(nothing)

    def advance(self, batch: EventBatch) -> Results:
        self.hook("advance")
        return super().advance(batch)

    def close_epoch(self, decisions: Any) -> Any:
        self.hook("learn")
        report = super().close_epoch(decisions)
        self.hook("learnt")
        return report


class RealWorld(World):
    """Four machines with four channels on JSON."""

    def new_learner(self, hook: Hook = nothing) -> StreamLearner:
        learner = MortalLearner(self.config())
        learner.hook = hook
        return learner

    def new_codec(self) -> Any:
        return build_codec(self.config())

    def produce_noise(self, num_messages: int, seed: int = 0) -> None:
        rng = random.Random(seed)
        for i in range(num_messages):
            fields = {name: round(rng.gauss(0, 1), 4) for name in ("a", "b", "c", "d")}
            fields["a"] += 20.0 * (i % 97 == 96)
            value = b"{" if i % 41 == 40 else json.dumps(fields).encode()
            machine = rng.randrange(4)
            partition = machine % self.broker.num_partitions
            self.broker.produce("events", partition, value, key=b"m%d" % machine)

    def published(self) -> list[tuple[str, int, bytes | None]]:
        """Every byte of every output topic."""
        topics = ("scores", "embeddings", "dlq")
        return [
            (topic, m.partition, m.value)
            for topic in topics
            for m in self.broker.records(f"streamssl.{topic}")
        ]

    def ids(self) -> list[str]:
        return [json.loads(value)["id"] for _, value in self.scores()]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_kills_and_cuts_leave_no_trace(tmp_path: Path) -> None:
    """One partition: however it is cut and killed, the same bytes and the same weights."""
    calm, rough = RealWorld(tmp_path / "calm", **SMALL), RealWorld(tmp_path / "rough", **SMALL)
    for world in (calm, rough):
        world.produce_noise(420)
    calm.engine().run()
    killed = rough.run_until_drained([9, 31, 47, 50, 38, 77], random.Random(5))
    assert killed >= 5
    assert rough.scores() == calm.scores()
    a, b = calm.learners[0], rough.learners[0]
    assert (a.epoch, a.state_crc32c(), a.weights_digest()) == (
        b.epoch,
        b.state_crc32c(),
        b.weights_digest(),
    )
    assert a.epoch > 6


def test_a_journal_replay_gives_every_byte_of_four_partitions(tmp_path: Path) -> None:
    """Kills and moves over four partitions: journal and input give the same bytes again."""
    world = RealWorld(tmp_path, num_partitions=4, **SMALL)
    world.produce_noise(420)
    count = [0]

    def moves(_: str) -> None:
        count[0] += 1
        if count[0] % 23 == 0:
            world.broker.move("streamssl", "events", count[0] % 4, 0)

    world.run_until_drained([40, 90], random.Random(1))
    world.produce_noise(300, seed=1)
    world.engine(hook=moves, cuts=random.Random(2)).run()
    num_letters = len(world.broker.records("streamssl.dlq"))
    assert len(set(world.ids())) == len(world.ids()) == 720 - num_letters
    assert any(record.dropped for record in world.journal())
    learner, published, differing = world.replay()
    assert published == world.scores()
    assert not differing
    assert learner.state_crc32c() == world.learners[0].state_crc32c()
    assert learner.weights_digest() == world.learners[0].weights_digest()


def test_a_future_event_changes_no_past_score(tmp_path: Path) -> None:
    """Prequential: what is published of an event does not depend on anything after it."""
    worlds = [RealWorld(tmp_path / str(seed), **SMALL) for seed in (1, 2)]
    for seed, world in enumerate(worlds):
        world.produce_noise(200)
        world.produce_noise(200, seed=10 + seed)
        world.engine().run()
    first, second = (world.scores() for world in worlds)
    num_same = 200 - 4  # dead letters have no score
    assert first[:num_same] == second[:num_same]
    assert first != second


def test_every_checkpoint_resumes_to_the_same_bits(tmp_path: Path) -> None:
    """From whichever epoch a process goes on: same scores, same weights."""
    calm = RealWorld(tmp_path / "calm", **SMALL)
    calm.produce_noise(300)
    calm.engine().run()
    resumed = RealWorld(tmp_path / "resumed", **{**SMALL, "checkpoint": {"every_events": 1}})
    resumed.produce_noise(300)
    starts = 0
    while len(resumed.scores()) < len(calm.scores()):
        stopping = threading.Event()
        resumed.engine(stopping=stopping, on_progress=stop_after(1, stopping)).run()
        starts += 1
    assert starts > 4
    assert resumed.scores() == calm.scores()
    assert resumed.learners[0].state_crc32c() == calm.learners[0].state_crc32c()
