"""Another input topic under a state or a journal is told as that, and never mixed into it."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamssl.checkpoint import WrongStateError
from streamssl.checkpoint.store import checkpoints, load, save
from streamssl.codecs.registry import build_codec
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import InputDiffersError
from streamssl.engine.reproduce import reproduce
from streamssl.engine.start import CHECKPOINTS
from streamssl.stream import StreamLearner
from streamssl.transport.journal import JournalRecord, decode_record
from tests.engine.real_world import SMALL, RealWorld
from tests.engine.world import Bomb, Hook, TestTransport
from tests.log_lines import log_lines, named
from tests.transport.faulty_broker import SimulatedCrashError


class TopicWorld(RealWorld):
    """Two topics with a machine of the same name, and an application that reads one of them."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        super().__init__(folder, **SMALL | sections)
        for seed, (topic, fields) in enumerate({"events": "abc", "others": "abd"}.items()):
            self.broker.create_topic(topic)
            rng = random.Random(seed)
            for _ in range(300):
                row = {name: round(rng.gauss(5 * seed, 1), 3) for name in fields}
                self.broker.produce(topic, 0, json.dumps(row).encode(), key=b"m")

    def new_transport(self, hook: Hook, cuts: random.Random | None) -> TestTransport:
        """A connection to the topic and application of the configuration."""
        transport, config = super().new_transport(hook, cuts), self.config()
        transport.topic, transport._app = config.input.topic, config.app.name
        return transport

    def reads(self, topic: str, **app: Any) -> None:
        """Change `input.topic`, and what else the application is told."""
        self.sections = self.sections | {"input": {"topic": topic}, "app": app}


@pytest.fixture
def world(tmp_path: Path) -> TopicWorld:
    """A state that was learnt from the one topic, under a configuration that names the other."""
    world = TopicWorld(tmp_path)
    world.reads("events")
    world.engine().run()
    world.reads("others")
    return world


def checkpoint_folder(world: TopicWorld) -> Path:
    return world.config().app.state_dir / CHECKPOINTS


@pytest.mark.parametrize("fresh", ["fail", "fresh"])
@pytest.mark.parametrize("with_journal", [True, False])
def test_a_state_of_another_topic_is_refused(
    world: TopicWorld, fresh: str, with_journal: bool
) -> None:
    """Both are named, with the way out; whether the journal is there or not."""
    if not with_journal:
        log = world.broker._logs["streamssl.journal", 0]
        log.messages, log.offsets, log.end = [], [], 0
    world.reads("others", on_missing_state=fresh)
    num = len(world.scores())
    for _ in range(2):
        with pytest.raises(
            WrongStateError, match=r"topic events, and input\.topic is others"
        ) as told:
            world.engine().run()
        assert told.value.exit_code == 4
    assert f"--init-from {checkpoint_folder(world)}" in str(told.value)
    assert len(world.scores()) == num


def test_a_journal_of_another_topic_is_refused(tmp_path: Path) -> None:
    """Of a process that died before its first checkpoint: no input is called changed."""
    world = TopicWorld(tmp_path, checkpoint={"every_events": 10**6, "every_s": 1e9})
    world.reads("events")
    with pytest.raises(SimulatedCrashError):
        world.engine(hook=Bomb(30)).run()
    assert world.journal()
    assert not checkpoints(checkpoint_folder(world))
    world.reads("others")
    with pytest.raises(WrongStateError, match=r"the journal .* is of the topic events"):
        world.engine().run()
    world.reads("events")
    assert world.engine().run().recovered > 0


def test_the_remedy_works(world: TopicWorld) -> None:
    """An application of its own goes on from what was learnt, with the channels of before."""
    folder = checkpoint_folder(world)
    own = str(world.folder / "own")
    world.reads("others", name="second", state_dir=own)
    with log_lines() as lines:
        summary = world.engine(init_from=folder).run()
    assert named(lines, "state_carried")
    assert summary.events == 300
    world.reads("events")
    assert world.engine().run().events == 0  # The first one is as it was.


def test_a_confirmed_fresh_start_leaves_the_other_topic_behind(world: TopicWorld) -> None:
    """Folder lost and `fresh`: one true cause, the new topic's channels, and later starts are."""
    world.lose_state()
    world.reads("others", on_missing_state="fresh")
    with log_lines() as lines:
        world.engine().run()
    (told,) = named(lines, "gap")
    assert told["cause"] == "other_topic"
    assert "topic events" in told["message"]
    assert world.learners[0].schema.fields == ("a", "b", "d")
    topics = [str(record.topic) for record in world.journal()]
    assert topics == sorted(topics)
    with log_lines() as lines:
        world.engine().run()
    assert not named(lines, "gap")


def test_states_and_journals_of_before_say_nothing(world: TopicWorld) -> None:
    """Without a note of the topic they are gone on from; afterwards they have one."""
    world.reads("events")
    folder = checkpoint_folder(world)
    found = load(checkpoints(folder)[0])
    engine = {name: value for name, value in found.state["engine"].items() if name != "topic"}
    assert Positions.from_state_dict(engine).topic is None
    shutil.rmtree(folder)
    save(folder, found.state | {"engine": engine}, position=found.position, keep=3)
    log = world.broker._logs["streamssl.journal", 0]
    log.messages = [msgspec.structs.replace(m, value=_without_topic(m.value)) for m in log.messages]
    world.produce_noise(100)
    with log_lines() as lines:
        world.engine().run()
    assert not named(lines, "gap")
    assert load(checkpoints(folder)[0]).state["engine"]["topic"] == "events"


def _without_topic(value: bytes | None) -> bytes:
    record: JournalRecord = msgspec.structs.replace(decode_record(value or b""), topic=None)
    assert b"topic" not in record.encode()
    return record.encode()


def test_a_replay_of_the_journal_names_both_topics(world: TopicWorld) -> None:
    """Before anything is read: the input is not called changed."""
    config = world.config()
    with pytest.raises(InputDiffersError, match=r"topic events, and input\.topic is others"):
        reproduce(
            config,
            source=world.new_transport(lambda _: None, None),
            learner=StreamLearner(config),
            codec=build_codec(config),
            write=lambda *_: None,
        )
