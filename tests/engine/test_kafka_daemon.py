"""The daemon as a process on a real Kafka: killed, drained, replayed from outside."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamssl import checkpoint
from streamssl.engine.replay import Reproduction
from streamssl.stream_learner import StreamLearner
from tests.conftest import RunningBroker
from tests.engine.deployment import Deployment, Published
from tests.engine.real_world import SMALL
from tests.engine.witness import Death, Killer, Witness

# Small transactions, so that an epoch has several; every checkpoint and journal record is kept.
SECTIONS: dict[str, Any] = {
    **SMALL,
    "learn": {**SMALL["learn"], "max_wait_s": 0.5},
    "delivery": {"max_events": 11},
    "checkpoint": {"every_events": 150, "every_s": 1e9, "keep": 10_000},
}
# Saving every epoch's end shows in the state directory how far a process had come.
SAVE_OFTEN = "checkpoint.every_events=1"
# Processes of one instance may use either client, one after the other. With librdkafka the moment
# between journal and commit is too short to be hit from outside.
SECOND = "kafka.client=librdkafka"
# Ten moments of death, and how the process is started that dies there.
MOMENTS: list[tuple[str, tuple[str, ...]]] = [
    ("starting", ()),
    ("anywhere", (SECOND,)),
    ("in_transaction", ()),
    ("in_transaction", ()),
    ("in_open_epoch", ()),
    ("in_open_epoch", (SECOND,)),
    ("between_commit_and_learning", (SAVE_OFTEN,)),
    ("between_commit_and_learning", (SAVE_OFTEN, SECOND)),
    ("in_checkpoint", (SAVE_OFTEN,)),
    ("in_checkpoint", (SAVE_OFTEN, SECOND)),
]
pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


@pytest.fixture
def deployment(
    kafka_broker: RunningBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> Iterator[Deployment]:
    """One application, before its first process."""
    with Deployment(kafka_broker, unique_name, tmp_path, SECTIONS) as deployment:
        yield deployment


@pytest.fixture
def witness(deployment: Deployment) -> Iterator[Witness]:
    """Somebody who sees what it commits."""
    with Witness(deployment) as witness:
        yield witness


def drain(deployment: Deployment, witness: Witness, client: str = "kafka-python") -> None:
    """Run a process until all that was produced is published, and end it by SIGTERM."""
    with deployment.start(SAVE_OFTEN, f"kafka.client={client}") as process:
        try:
            until = time.monotonic() + 60.0
            while witness.num_taken() < deployment.num_produced:
                assert time.monotonic() < until, deployment.told()
                witness.look()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0, deployment.told()
        finally:
            process.kill()


def test_kills_lose_and_double_nothing_and_the_replay_is_equal(
    deployment: Deployment, witness: Witness, tmp_path: Path
) -> None:
    """Killed with -9 at ten moments: each input once, and another process gets the same bytes."""
    rng = random.Random(7)
    killer = Killer(deployment, witness, rng)
    deaths = [killer.kill(*moment) for moment in rng.sample(MOMENTS, len(MOMENTS))]
    deployment.produce(200)
    drain(deployment, witness)
    check_deaths(deaths, witness)
    published = deployment.published()
    check_each_input_once(deployment, published)
    found = replay(deployment, published, tmp_path / "again.parquet")
    check_states(deployment, witness, found)


def check_deaths(deaths: list[Death], witness: Witness) -> None:
    """The processes had worked, and what they left behind shows where they died."""
    assert sum(death.num_landed > 0 for death in deaths) >= 8, deaths
    proven = {death.moment for death in deaths if death.proven}
    assert proven == {moment for moment, _ in MOMENTS} - {"starting", "anywhere"}, deaths
    # The successor goes on with the epoch that was open.
    open_epochs = [death for death in deaths if death.moment == "in_open_epoch" and death.proven]
    ends = [death.journal_end for death in open_epochs]
    assert any(witness.records[n - 1].epoch == witness.records[n].epoch for n in ends), deaths


def check_each_input_once(deployment: Deployment, published: Published) -> None:
    """Every partition's outputs are its readable inputs, and its dead letters the others."""
    for partition, readable in deployment.readable.items():
        name = f"{deployment.topic}/{partition}"
        scores = published["scores", partition]
        ids = [json.loads(value or b"")["id"] for _, value, _ in scores]
        assert ids == [f"{name}/{offset}/0" for offset, good in enumerate(readable) if good]
        letters = [dict(headers) for _, _, headers in published["dlq", partition]]
        origins = [int(letter["origin_offset"]) for letter in letters]
        assert origins == [offset for offset, good in enumerate(readable) if not good]
    spaces = [json.loads(value or b"")["space"] for _, value, _ in published["spaces", 0]]
    assert spaces == ["0/provisional", "0/space-1"]


def replay(deployment: Deployment, published: Published, output: Path) -> Reproduction:
    """A separate process reproduces every record of every topic from journal and input."""
    exit_code, told = deployment.replay(output)
    assert exit_code == 0, deployment.told()
    reproduced = deployment.reproduced(output)
    assert reproduced.keys() == published.keys()
    assert {"scores", "embeddings", "dlq", "spaces"} == {topic for topic, _ in published}
    assert [place for place in published if reproduced[place] != published[place]] == []
    return Reproduction(**json.loads(told))


def check_states(deployment: Deployment, witness: Witness, found: Reproduction) -> None:
    """The replay's states are those that the daemons scored with, and those that they saved."""
    last = witness.records[-1]
    assert (found.first_epoch, found.epoch, found.records) == (1, last.epoch, last.seq)
    assert found.differing_epochs == []
    assert found.state_crc32c == last.state_crc32c
    scored_with = {record.epoch: record.state_crc32c for record in witness.records}
    saved = saved_states(deployment)
    assert len(saved) > 5
    assert saved[found.epoch] == found.state_crc32c
    assert [e for e in saved.keys() & scored_with.keys() if saved[e] != scored_with[e]] == []


def saved_states(deployment: Deployment) -> dict[int, int]:
    """Epoch and digest of every checkpoint."""
    learner, found = StreamLearner.from_config(deployment.config), {}
    for path in deployment.checkpoints():
        learner.load_state_dict(checkpoint.load(path).state["learner"])
        found[learner.epoch] = learner.state_crc32c()
    return found


@pytest.mark.parametrize("client", ["kafka-python", "librdkafka"])
def test_a_drain_ends_with_0_and_a_checkpoint(
    deployment: Deployment, witness: Witness, client: str
) -> None:
    """SIGTERM: exit 0 within 20 s, everything committed, a checkpoint on the disk."""
    deployment.produce(300)
    drain(deployment, witness, client)
    check_each_input_once(deployment, deployment.published())
    assert deployment.checkpoints()
