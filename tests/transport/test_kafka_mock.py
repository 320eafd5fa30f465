"""Errors that no real broker gives on demand, injected by a mock cluster, for both clients.

The mock keeps nothing of a transaction: whether one landed is what its commit was answered, and
a ledger stands for the journal. That an answer was lost, and what a journal then tells, needs a
real broker: `test_kafka_commit.py`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from kafka import ConsumerGroupMetadata, errors

from streamssl.config.sections import KafkaConfig
from streamssl.data.events import OutputRecord, Range
from streamssl.transport.base import FencedError, PartitionOutput, Transaction
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.at_least_once import AtLeastOnce
from streamssl.transport.kafka.clients import kafka_python, library_of
from streamssl.transport.kafka.clients.base import Addressed, Membership, Producer, Sent
from streamssl.transport.kafka.clients.kafka_python import producer as python_producer
from streamssl.transport.kafka.clients.librdkafka import producer as rd_producer
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.outbox import Outbox, RecordTooLargeError, is_fenced
from streamssl.transport.kafka.patience import Patience
from streamssl.transport.kafka.security import client_settings
from tests.transport import mock_cluster
from tests.transport.kafka_stream import WrappedLibrary, WrappedProducer
from tests.transport.mock_cluster import MockCluster

NUM_RECORDS = 20
TRANSACTION_TIMEOUT_MS = 2_000
TOPICS = {"app.scores": 2, "app.journal": 1, "events": 2}
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


class Ledger:
    """The journal as a real broker would keep it: what was committed, and nothing else."""

    def __init__(self) -> None:
        self.landed: list[list[Addressed]] = []
        self.on_read: Callable[[], None] = lambda: None

    def end(self) -> int:
        return len(self.landed)

    def read(self, position: int, _: Callable[[], None]) -> tuple[list[Any], int]:
        self.on_read()
        records = [RECORD for _ in self.landed[position:]]
        return [(position + 1 + i, record) for i, record in enumerate(records)], 0

    def values(self) -> Counter[bytes | None]:
        """Output values that a read_committed subscriber would see."""
        return Counter(
            r.record.value for sent in self.landed for r in sent if r.topic == "app.scores"
        )


class Noted(WrappedProducer):
    """A producer that enters into a ledger what it committed."""

    def __init__(self, inner: Producer, ledger: Ledger) -> None:
        super().__init__(inner)
        self._ledger = ledger
        self._records: list[Addressed] = []

    def send(self, records: Sequence[Addressed], timeout_s: float) -> list[Sent]:
        self._records += records
        return self.inner.send(records, timeout_s)

    def commit_transaction(self) -> None:
        self.inner.commit_transaction()
        self._ledger.landed.append(self._records)
        self._records = []


class Bench:
    """A committer on the mock, whose group and journal are a test's."""

    def __init__(self, cluster: MockCluster, client: str, kind: type[Any]) -> None:
        self.cluster, self.ledger = cluster, Ledger()
        self.patience = Patience(lambda: False)
        self.positions: dict[int, int] = {}
        kafka = KafkaConfig.model_validate(
            {"client": client, "bootstrap_servers": cluster.bootstrap_servers}
        )
        kafka = kafka.model_copy(update={"request_timeout_ms": 1_000})
        library = WrappedLibrary(library_of(kafka), lambda inner: Noted(inner, self.ledger))
        limits = dict.fromkeys(TOPICS, 1_000_000)
        self.outbox = Outbox(
            library,
            request_timeout_ms=1_000,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            limits=limits,
            fence=_fence() if kind is ExactlyOnce else None,
        )
        self.outbox.use(self.patience.retry(self.outbox.build))
        source = SimpleNamespace(
            membership=lambda: Membership("me", True, _group(client)),
            assignment=lambda: {0: 1, 1: 1},
            lost=frozenset,
            pump=lambda: None,
            committed=lambda _: None,
            commit=self.positions.update,
        )
        parts: dict[str, Any] = {
            "source": source,
            "journal": self.ledger,
            "admin": SimpleNamespace(member_id=lambda *_: "me"),
        }
        self.committer = kind(
            app="app",
            input_topic="events",
            instance=0,
            member="app-0",
            limits=limits,
            outbox=self.outbox,
            patience=self.patience,
            **parts,
        )

    def check_landed_once(self) -> None:
        """The whole transaction is there, once."""
        assert self.committer.commit(TRANSACTION).kept == {0, 1}
        assert len(self.ledger.landed) == 1
        assert self.ledger.values() == VALUES

    def check_refused(self, kind: type[Exception], match: str) -> None:
        """It ends with an error, and nothing is there."""
        with pytest.raises(kind, match=match):
            self.committer.commit(TRANSACTION)
        assert self.ledger.landed == []


RECORD = JournalRecord(
    instance=0, seq=1, epoch=1, ranges=dict.fromkeys((0, 1), (0, NUM_RECORDS, NUM_RECORDS, 0))
)
TRANSACTION = Transaction(
    RECORD,
    {
        p: PartitionOutput(
            Range(p, 0, NUM_RECORDS, NUM_RECORDS, 0),
            1,
            [OutputRecord("scores", None, b"%d-%d" % (p, i)) for i in range(NUM_RECORDS)],
        )
        for p in (0, 1)
    },
)
VALUES = Counter(r.value for part in TRANSACTION.parts.values() for r in part.records)


def _fence() -> Any:
    """Without the search for hanging transactions, which the mock does not know."""
    return SimpleNamespace(
        transactional_id="app-0", take_over=lambda producer: producer.init_transactions()
    )


def _group(client: str) -> Any:
    if client == "kafka-python":
        return ConsumerGroupMetadata("app", 1, "me")
    reader = confluent_kafka.Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": "app"})
    return reader.consumer_group_metadata()


@pytest.fixture(autouse=True)
def _old_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """kafka-python cannot guess what the mock is."""
    monkeypatch.setattr(
        kafka_python,
        "client_settings",
        lambda kafka: client_settings(kafka) | {"api_version": (2, 3)},
    )


@pytest.fixture
def bench(cluster: MockCluster, client: str) -> Iterator[Bench]:
    bench = Bench(cluster, client, ExactlyOnce)
    yield bench
    bench.outbox.drop()


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
    """The transaction lands once, without doubt, and the trouble leaves no trace."""
    request, codes = PASSING[fault]
    bench.cluster.fail(request, *codes)
    bench.check_landed_once()
    assert bench.committer.num_settled == 0
    assert bench.patience.trouble == ""


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
def test_a_stale_membership_is_no_trouble(bench: Bench, code: int) -> None:
    """What is still held lands under the new membership, once."""
    bench.cluster.fail(mock_cluster.TXN_OFFSET_COMMIT, code)
    bench.check_landed_once()
    assert bench.committer.num_settled == 1
    assert not bench.patience.troubled_within(60.0)


@pytest.mark.parametrize("code", FENCED.values(), ids=FENCED)
@pytest.mark.parametrize(
    "request_", [mock_cluster.ADD_PARTITIONS, mock_cluster.PRODUCE, mock_cluster.END_TXN]
)
def test_a_fenced_producer_writes_nothing_and_ends(bench: Bench, request_: int, code: int) -> None:
    """Another process has its place: nothing lands, and it is told."""
    bench.cluster.fail(request_, *[code] * 50)  # an attempt may be several requests
    bench.check_refused(FencedError, "another process")


def test_a_fence_after_trouble_may_be_our_own(bench: Bench) -> None:
    """A rightful owner whose transaction the broker timed out goes on, and lands once."""
    bench.patience.note(errors.KafkaTimeoutError("away"))
    bench.cluster.fail(mock_cluster.ADD_PARTITIONS, FENCED["fenced"])
    bench.check_landed_once()
    assert bench.committer.num_settled == 1


CALLS: Mapping[str, Callable[[Bench, Producer, Membership], object]] = {
    "init": lambda bench, _, __: bench.outbox.build(),
    "send": lambda _, producer, __: _raise_first(producer.send([_record()], 3.0)),
    "positions": lambda _, producer, group: producer.send_positions("events", {0: 1}, group),
    "commit": lambda _, producer, __: producer.commit_transaction(),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_transaction_call_hangs(
    bench: Bench, client: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that takes requests and never answers: each call ends by itself, in time."""
    for module in (python_producer, rd_producer):
        monkeypatch.setattr(module, "BLOCK_S", 1.0)
    producer, group = bench.outbox.build(), Membership("me", True, _group(client))
    producer.begin_transaction()
    assert isinstance(producer.send([_record()], 3.0)[0], int)
    bench.cluster.delay(60.0)
    began = time.monotonic()
    with pytest.raises(errors.KafkaError) as told:
        CALLS[call](bench, producer, group)
    assert time.monotonic() - began < 5.0
    assert not is_fenced(told.value)
    began = time.monotonic()
    producer.discard()
    assert time.monotonic() - began < 1.0


def test_at_least_once_sends_again_what_expired(
    cluster: MockCluster, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it is acknowledged before the positions are committed; nothing waits for each."""
    monkeypatch.setattr(python_producer, "SPLIT_S", 0.5)
    bench = Bench(cluster, client, AtLeastOnce)
    cluster.fail(mock_cluster.PRODUCE, *[TIMED_OUT] * 5_000)
    build = bench.outbox.build

    def healed() -> Producer:
        cluster.heal(mock_cluster.PRODUCE)
        return build()

    monkeypatch.setattr(bench.outbox, "build", healed)
    began = time.monotonic()
    assert bench.committer.commit(TRANSACTION).kept == {0, 1}
    assert time.monotonic() - began < 10.0
    assert bench.positions == {0: NUM_RECORDS, 1: NUM_RECORDS}
    bench.outbox.drop()


def _record() -> Addressed:
    return Addressed("app.scores", 0, OutputRecord("scores", None, b"1"))


def _raise_first(sent: Sequence[Sent]) -> None:
    for one in sent:
        if isinstance(one, BaseException):
            raise one
