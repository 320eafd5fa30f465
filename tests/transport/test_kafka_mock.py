"""Errors that no real broker gives on demand, injected by a mock cluster.

The mock keeps nothing of a transaction: whether one landed is what its commit was answered, and
a ledger stands for the journal. That an answer was lost, and what a journal then tells, needs a
real broker: `test_kafka_commit.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest
from kafka import ConsumerGroupMetadata, errors

from streamssl.data.events import OutputRecord
from streamssl.transport.base import FencedError
from streamssl.transport.kafka import producer as producer_module
from streamssl.transport.kafka.at_least_once import AtLeastOnce
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.failures import RecordTooLargeError, is_fenced
from streamssl.transport.kafka.producer import Producer
from streamssl.transport.kafka.producer_record import ProducerRecord, SendOutcome
from tests.transport import mock_cluster
from tests.transport.mock_cluster import MockCluster
from tests.transport.mock_committer import GROUP, NUM_RECORDS, TOPICS, TRANSACTION, Bench

# Answers that pass by themselves.
NOT_COORDINATOR = (15, 14, 16)  # not available, loading, not this one
CONCURRENT = (51, 51, 51)
TOO_LARGE, TIMED_OUT = 10, 7
STALE = {"generation": 22, "member": 25}
FENCED = {"epoch": 47, "fenced": 90}


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster(**TOPICS) as cluster:
        yield cluster


@pytest.fixture
def bench(cluster: MockCluster) -> Iterator[Bench]:
    bench = Bench(cluster, ExactlyOnce)
    yield bench
    bench.writer.discard_producer()


PASSING: Mapping[str, tuple[int, tuple[int, ...]]] = {
    "concurrent transactions": (mock_cluster.ADD_PARTITIONS, CONCURRENT),
    "not coordinator, partitions": (mock_cluster.ADD_PARTITIONS, NOT_COORDINATOR),
    "not coordinator, group": (mock_cluster.ADD_OFFSETS, NOT_COORDINATOR),
    "not coordinator, positions": (mock_cluster.TXN_OFFSET_COMMIT, NOT_COORDINATOR),
    "not coordinator, commit": (mock_cluster.END_TXN, NOT_COORDINATOR),
    "not leader": (mock_cluster.PRODUCE, (6, 6)),
}


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_by_itself_is_waited_out(bench: Bench, fault: str) -> None:
    """The transaction lands once, at the first attempt, and the fault leaves no trace."""
    request, codes = PASSING[fault]
    bench.cluster.fail(request, *codes)
    bench.check_landed_once()
    assert bench.committer.num_settled == 0
    assert bench.retry_policy.current_failure == ""


def test_an_expired_send_is_settled_and_sent_again(bench: Bench) -> None:
    """No record may be missing from what is committed: the same bytes go out once more."""
    bench.cluster.fail(mock_cluster.PRODUCE, *[TIMED_OUT] * 5_000)
    bench.ledger.on_read = lambda: bench.cluster.heal(mock_cluster.PRODUCE)
    bench.check_landed_once()
    assert bench.committer.num_settled == 1


def test_a_record_that_the_broker_finds_too_large_is_told(bench: Bench) -> None:
    """Sending it again would not help: nothing lands, and the remedy is named."""
    bench.cluster.fail(mock_cluster.PRODUCE, *[TOO_LARGE] * 200)
    bench.check_refused(RecordTooLargeError, r"max\.message\.bytes")


@pytest.mark.parametrize("code", STALE.values(), ids=STALE)
def test_a_stale_membership_is_no_failure(bench: Bench, code: int) -> None:
    """What is still held lands under the new membership, once."""
    bench.cluster.fail(mock_cluster.TXN_OFFSET_COMMIT, code)
    bench.check_landed_once()
    assert bench.committer.num_settled == 1
    assert not bench.retry_policy.failed_within(60.0)


@pytest.mark.parametrize("code", FENCED.values(), ids=FENCED)
@pytest.mark.parametrize(
    "request_", [mock_cluster.ADD_PARTITIONS, mock_cluster.PRODUCE, mock_cluster.END_TXN]
)
def test_a_fenced_producer_writes_nothing_and_ends(bench: Bench, request_: int, code: int) -> None:
    """Another process has its place: nothing lands, and it is told."""
    bench.cluster.fail(request_, *[code] * 50)  # an attempt may be several requests
    bench.check_refused(FencedError, "another process")


def test_a_fence_after_a_failure_may_be_our_own(bench: Bench) -> None:
    """A rightful owner whose transaction the broker timed out goes on, and lands once."""
    bench.retry_policy.record_failure(errors.KafkaTimeoutError("away"))
    bench.cluster.fail(mock_cluster.ADD_PARTITIONS, FENCED["fenced"])
    bench.check_landed_once()
    assert bench.committer.num_settled == 1


CALLS: Mapping[str, Callable[[Bench, Producer, ConsumerGroupMetadata], object]] = {
    "init": lambda bench, _, __: bench.writer.new_producer(),
    "send": lambda _, producer, __: _raise_first(producer.send([_record()], 3.0)),
    "positions": lambda _, producer, group: producer.send_positions("events", {0: 1}, group),
    "commit": lambda _, producer, __: producer.commit_transaction(),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_transaction_call_hangs(
    bench: Bench, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that takes requests and never answers: each call ends by itself, in time."""
    monkeypatch.setattr(producer_module, "BLOCK_S", 1.0)
    producer = bench.writer.new_producer()
    producer.begin_transaction()
    assert isinstance(producer.send([_record()], 3.0)[0], int)
    bench.cluster.delay(60.0)
    began = time.monotonic()
    with pytest.raises(errors.KafkaError) as told:
        CALLS[call](bench, producer, GROUP)
    assert time.monotonic() - began < 5.0
    assert not is_fenced(told.value)
    began = time.monotonic()
    producer.discard()
    assert time.monotonic() - began < 1.0


def test_at_least_once_sends_again_what_expired(
    cluster: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is acknowledged before the positions are committed; nothing waits for each."""
    monkeypatch.setattr(producer_module, "SPLIT_S", 0.5)
    bench = Bench(cluster, AtLeastOnce)
    cluster.fail(mock_cluster.PRODUCE, *[TIMED_OUT] * 5_000)
    new_producer = bench.writer.new_producer

    def healed() -> Producer:
        cluster.heal(mock_cluster.PRODUCE)
        return new_producer()

    monkeypatch.setattr(bench.writer, "new_producer", healed)
    began = time.monotonic()
    assert bench.committer.commit(TRANSACTION).kept == {0, 1}
    assert time.monotonic() - began < 10.0
    assert bench.positions == {0: NUM_RECORDS, 1: NUM_RECORDS}
    bench.writer.discard_producer()


def _record() -> ProducerRecord:
    return ProducerRecord("app.scores", 0, OutputRecord("scores", None, b"1"))


def _raise_first(sent: Sequence[SendOutcome]) -> None:
    for one in sent:
        if isinstance(one, BaseException):
            raise one
