"""Both hosts of the learner give what the learner gives, in the order of asking."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from streamssl.checkpoint import CheckpointError
from streamssl.checkpoint.store import checkpoints
from streamssl.config.root import Config
from streamssl.data.events import EventBatch, StreamsslError
from streamssl.data.results import Decisions
from streamssl.host import Host, LearnerProcessError, ProcessHost, Written
from streamssl.host.child import answer
from streamssl.host.local import LocalHost
from streamssl.learner.build import build
from streamssl.stream import StreamLearner
from tests.conftest import TOY
from tests.modalities.examples import Example, every_modality
from tests.stream.runs import assert_same
from tests.stream.streams import SMALL, stream
from tests.stream.test_told_incidents import faults

CONFIG = Config.model_validate(SMALL)
BATCH = stream(400, num_keys=6, num_partitions=2)
KINDS = ("local", "process")


def new_host(kind: str) -> Host:
    """A host of a fresh learner."""
    if kind == "process":
        return ProcessHost(CONFIG)
    return LocalHost(StreamLearner.from_config(CONFIG), background_save=True)


@pytest.fixture(params=KINDS)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    made = new_host(request.param)
    yield made
    made.close()


def epochs(host: Host, learner: StreamLearner) -> Iterator[tuple[EventBatch, EventBatch]]:
    """The stream in halves of epochs, the two learners being asked for the sizes."""
    done = 0
    while done < len(BATCH):
        size = learner.target()
        assert (host.epoch, host.target(), host.num_open_events) == (learner.epoch, size, 0)
        yield (
            BATCH.take(slice(done, done + size // 2)),
            BATCH.take(slice(done + size // 2, done + size)),
        )
        done += size


def test_a_host_gives_what_the_learner_gives(host: Host) -> None:
    """Scores, embeddings, explanations, reports and digests, to the last bit, and in order."""
    learner = StreamLearner.from_config(CONFIG)
    for halves in epochs(host, learner):
        asked = [host.submit(half) for half in halves]
        assert host.num_open_events == sum(map(len, halves))
        for half, future in zip(halves, asked, strict=True):
            expected, found = learner.advance(half), future.result()
            assert found.batch.ids() == half.ids()
            assert found.raw.tobytes() == expected.raw.tobytes()
            assert found.embedding_BD.tobytes() == expected.embedding_BD.tobytes()
            assert found.explanation.attribution_AP.tobytes() == (
                expected.explanation.attribution_AP.tobytes()
            )
            assert found.explanation.expected.fields == expected.explanation.expected.fields
            assert found.incident_id == expected.incident_id
            assert found.explanation.neighbours == expected.explanation.neighbours
            assert (found.space, found.opening) == (expected.space, expected.opening)
        closing = host.close_epoch(Decisions("count"))
        report = learner.close_epoch(Decisions("count"))
        closed = closing.result()
        assert closed.state_crc32c == learner.state_crc32c() == host.state_crc32c()
        assert closed.report.num_learnt == report.num_learnt
        assert closed.report.losses == pytest.approx(report.losses)
    assert host.schema == learner.schema
    assert {name for name, _ in host.stage_times()} == {
        *("context", "inputs", "embed", "score", "calibrate", "attribute", "learn")
    }


def test_a_host_tells_of_incidents_what_the_learner_tells(host: Host) -> None:
    """Records with their vectors, shares and neighbours, over the wire as without it."""
    learner, batch, num_told, done = StreamLearner.from_config(CONFIG), faults(1_000), 0, 0
    while done < len(batch):
        piece = batch.take(slice(done, done + learner.target()))
        found, expected = host.submit(piece).result(), learner.advance(piece)
        assert found.told_incidents() == expected.told_incidents()
        assert found.incidents.incidents.vector_MV.tobytes() == (
            expected.incidents.incidents.vector_MV.tobytes()
        )
        host.close_epoch(Decisions()).result()
        learner.close_epoch(Decisions())
        done, num_told = done + len(piece), num_told + len(found.told_incidents())
    assert num_told > 20


def test_an_unknown_request_is_refused() -> None:
    """The learner's process does what its table names, nothing else that it could."""
    host = LocalHost(StreamLearner.from_config(CONFIG))
    with pytest.raises(KeyError, match="close"):
        answer(host, ["close"])


def test_the_next_epoch_is_scored_by_what_closing_leaves(host: Host) -> None:
    """What is asked for before an epoch is learnt waits for it."""
    learner = StreamLearner.from_config(CONFIG)
    first, second = BATCH.take(slice(0, 32)), BATCH.take(slice(32, 64))
    host.submit(first)
    closing, scoring = host.close_epoch(Decisions("count")), host.submit(second)
    assert (host.epoch, host.num_open_events) == (2, 32)
    learner.advance(first)
    learner.close_epoch(Decisions("count"))
    assert scoring.result().raw.tobytes() == learner.advance(second).raw.tobytes()
    assert closing.result().state_crc32c == learner.state_crc32c()


def test_partitions_are_discarded_and_rebuilt(host: Host) -> None:
    """As the learner does it itself."""
    learner = StreamLearner.from_config(CONFIG)
    head, tail = BATCH.take(slice(0, 20)), BATCH.take(slice(20, 40))
    zero = tail.take(np.flatnonzero(tail.partition == 0))
    host.submit(head)
    learner.advance(head)
    for one in (host, learner):
        one.discard(1, 0)
        one.rebuild(0, zero)
    assert host.num_open_events == learner.num_open_events
    probe = BATCH.take(slice(40, 60))
    assert host.submit(probe).result().raw.tobytes() == learner.advance(probe).raw.tobytes()


def test_keys_are_carried_over(host: Host, tmp_path: Path) -> None:
    """As the learner does it itself; how many there are is told."""
    learner = StreamLearner.from_config(CONFIG)
    learner.learn(BATCH.take(slice(0, 64)))
    learner.save(tmp_path)
    host.restore(tmp_path, "fail")
    assert host.carry_keys() == learner.carry_keys() > 0
    probe = replace(BATCH.take(slice(64, 96)), partition=np.full(32, 9))
    assert host.submit(probe).result().raw.tobytes() == learner.advance(probe).raw.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_checkpoints_are_written_in_the_background_and_restored(kind: str, tmp_path: Path) -> None:
    """What is remembered is the state of that moment, whatever is learnt while it is written."""
    host, learner = new_host(kind), StreamLearner.from_config(CONFIG)
    host.submit(BATCH.take(slice(0, 32)))
    learner.advance(BATCH.take(slice(0, 32)))
    for one in (host, learner):
        one.close_epoch(Decisions("count"))
    host.remember({"seq": 3}, 17)
    host.save(tmp_path, 2)
    host.submit(BATCH.take(slice(32, 64)))
    host.close_epoch(Decisions("count")).result()
    (written,) = host.saved(wait=True)
    assert (written.journal, host.saved(), host.saving) == (17, [], False)
    assert written.num_bytes == sum(f.stat().st_size for f in checkpoints(tmp_path)[0].iterdir())
    host.close()
    other = new_host(kind)
    found = other.restore(tmp_path, "fail")
    assert found is not None
    assert (found.engine, other.epoch) == ({"seq": 3}, 2)
    probe = BATCH.take(slice(32, 64))
    assert other.submit(probe).result().raw.tobytes() == learner.advance(probe).raw.tobytes()
    assert other.restore(tmp_path / "empty", "fail") is None
    other.close()


def test_the_end_of_saving_is_told_though_nothing_else_is_asked(host: Host, tmp_path: Path) -> None:
    """On an idle stream, too, a checkpoint that was written is known to be."""
    host.submit(BATCH.take(slice(0, 32)))
    host.close_epoch(Decisions("count"))
    host.remember({}, 5)
    host.save(tmp_path, 1)
    written: list[Written] = []
    until = time.monotonic() + 30.0
    while not written:
        assert time.monotonic() < until
        written = host.saved()
    assert [one.journal for one in written] == [5]
    assert not host.saving


def test_an_unusable_checkpoint_is_told_with_its_exit_code(host: Host, tmp_path: Path) -> None:
    """A checkpoint that is there but corrupt ends with exit code 4, from either process."""
    host.submit(BATCH.take(slice(0, 32)))
    host.close_epoch(Decisions("count"))
    host.remember({}, 1)
    host.save(tmp_path, 1)
    host.saved(wait=True)
    manifest = next(checkpoints(tmp_path)[0].glob("*.json"))
    manifest.write_text("{}")
    with pytest.raises(StreamsslError, match="corrupt") as told:
        host.restore(tmp_path, "previous")
    assert told.value.exit_code == 4


def test_a_learner_that_cannot_be_made_is_told_with_its_exit_code() -> None:
    """A device that is not there ends with exit code 5, though another process looked for it."""
    host = ProcessHost(Config.model_validate({"learner": {"device": "cuda:99"}}))
    with pytest.raises(StreamsslError, match=r"set learner\.device to cpu") as told:
        host.build()
    assert told.value.exit_code == 5
    host.close()


def test_a_learner_that_still_starts_ends_at_once() -> None:
    """Nobody waits for its imports where the engine has failed before."""
    host = ProcessHost(CONFIG)
    host.close()
    assert host._process.returncode == -signal.SIGKILL


def test_the_build_is_that_of_the_learner_s_process(host: Host) -> None:
    """What the environment's hash covers: the same in either place, here on one machine."""
    assert host.build() == build()


def test_the_spread_of_embeddings_is_the_learners(host: Host) -> None:
    """Asked of either host it is what the learner itself says, once it has trained."""
    learner = StreamLearner.from_config(CONFIG)
    for halves in epochs(host, learner):
        for half in halves:
            host.submit(half).result()
            learner.advance(half)
        host.close_epoch(Decisions("count")).result()
        learner.close_epoch(Decisions("count"))
    assert host.spread().result() == learner.spread()
    assert learner.spread().effective_rank >= 1.0


def test_a_killed_learner_is_told() -> None:
    """A process that vanishes is an error that says how, not a wait without end."""
    host = ProcessHost(CONFIG)
    host.submit(BATCH.take(slice(0, 8))).result()
    os.kill(host.pid, signal.SIGKILL)
    with pytest.raises(LearnerProcessError, match="SIGKILL") as told:
        deque(host.submit(BATCH.take(slice(0, 8))).result() for _ in range(3))
    assert told.value.vanished
    host.close()


def test_a_learner_that_died_is_noticed_without_asking_it() -> None:
    """While no input comes nobody waits for an answer; how it ended is told all the same."""
    host = ProcessHost(CONFIG)
    host.submit(BATCH.take(slice(0, 8))).result()
    host.check_alive()
    os.kill(host.pid, signal.SIGKILL)
    host._process.wait()
    with pytest.raises(LearnerProcessError, match="SIGKILL"):
        host.check_alive()
    host.close()
    refused = ProcessHost(Config.model_validate({"learner": {"device": "cuda:99"}}))
    refused._process.wait()
    with pytest.raises(StreamsslError, match=r"learner\.device"):
        refused.check_alive()  # what it said, not that it ended
    refused.close()


def test_the_learner_s_process_ends_with_the_engine_s() -> None:
    """No process is left behind, and none outlives its connection."""
    host = ProcessHost(CONFIG)
    host.submit(BATCH.take(slice(0, 8))).result()
    pid = host.pid
    host.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@every_modality
def test_the_learners_process_serves_every_modality(
    example: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers and texts go there, scores and explanations come back: the same bits as here."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((TOY, str(Path(__file__).parents[2]))))
    config, batch = example.config(alerts={"budget": 0.2}), example.batch(700, num_keys=2)
    learner, host = StreamLearner(config), ProcessHost(config)
    done = 0
    while done < len(batch):
        piece = batch.take(slice(done, done + learner.target()))
        assert_same(host.submit(piece).result(), learner.advance(piece))
        host.close_epoch(Decisions("count")).result()
        learner.close_epoch(Decisions("count"))
        done += len(piece)
    assert host.state_crc32c() == learner.state_crc32c()
    host.close()


def test_a_checkpoint_of_other_sizes_is_refused_with_what_to_do(host: Host, tmp_path: Path) -> None:
    """Its path, the reason, and the two ways out."""
    learner = StreamLearner.from_config({**SMALL, "learner": {"hidden": 24}})
    learner.advance(BATCH)
    path = learner.save(tmp_path)
    with pytest.raises(StreamsslError) as refused:
        host.restore(tmp_path, "fail")
    told = str(refused.value)
    assert refused.value.exit_code == CheckpointError.exit_code
    assert str(path) in told
    assert "go back to the learner, modality and scorers sections" in told
    assert told.endswith("or name an empty app.state_dir and set app.on_missing_state: fresh")
    with pytest.raises(CheckpointError, match="does not fit this configuration"):
        StreamLearner.from_config(CONFIG).load(tmp_path)
