"""A committer on the mock cluster, whose group and journal are a test's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import ConsumerGroupMetadata
from kafka.structs import MemberState

from streamssl.config.sections import KafkaConfig
from streamssl.data.events import OutputRecord, Range
from streamssl.transport.base import PartitionOutput, Transaction
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.output_writer import OutputWriter
from streamssl.transport.kafka.producer import Producer, ProducerOptions
from streamssl.transport.kafka.producer_record import ProducerRecord, SendOutcome
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.security import client_settings
from tests.transport.kafka_stream import WrappedProducer
from tests.transport.mock_cluster import MockCluster

NUM_RECORDS = 20
TRANSACTION_TIMEOUT_MS = 2_000
TOPICS = {"app.scores": 2, "app.journal": 1, "events": 2}
GROUP = ConsumerGroupMetadata("app", 1, "me", None, MemberState.STABLE)
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


class Ledger:
    """The journal as a real broker would keep it: what was committed, and nothing else."""

    def __init__(self) -> None:
        self.landed: list[list[ProducerRecord]] = []
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
        self._records: list[ProducerRecord] = []

    def send(self, records: Sequence[ProducerRecord], timeout_s: float) -> list[SendOutcome]:
        self._records += records
        return self.inner.send(records, timeout_s)

    def commit_transaction(self) -> None:
        self.inner.commit_transaction()
        self._ledger.landed.append(self._records)
        self._records = []


class Bench:
    """A committer on the mock, whose group and journal are a test's."""

    def __init__(self, cluster: MockCluster, kind: type[Any]) -> None:
        self.cluster, self.ledger = cluster, Ledger()
        self.retry_policy = RetryPolicy(lambda: False)
        self.positions: dict[int, int] = {}
        kafka = KafkaConfig(bootstrap_servers=cluster.bootstrap_servers, request_timeout_ms=1_000)
        # kafka-python cannot guess what the mock is.
        settings = client_settings(kafka) | {"api_version": (2, 3)}

        def new_producer(options: ProducerOptions) -> Any:
            return Noted(Producer(settings, options), self.ledger)

        limits = dict.fromkeys(TOPICS, 1_000_000)
        self.writer = OutputWriter(
            new_producer,
            request_timeout_ms=1_000,
            transaction_timeout_ms=TRANSACTION_TIMEOUT_MS,
            limits=limits,
            fence=_fence() if kind is ExactlyOnce else None,
        )
        self.writer.replace_producer(lambda: self.retry_policy.retry(self.writer.new_producer))
        subscription = SimpleNamespace(
            membership=lambda: GROUP,
            assignment=lambda: {0: 1, 1: 1},
            lost=frozenset,
            keep_alive=lambda: None,
            committed=lambda _: None,
            commit=self.positions.update,
        )
        parts: dict[str, Any] = {
            "subscription": subscription,
            "journal": self.ledger,
            "admin": SimpleNamespace(member_id=lambda *_: "me"),
        }
        self.committer = kind(
            app="app",
            input_topic="events",
            instance=0,
            member="app-0",
            limits=limits,
            writer=self.writer,
            retry_policy=self.retry_policy,
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


def _fence() -> Any:
    """Without the search for hanging transactions, which the mock does not know."""
    return SimpleNamespace(
        transactional_id="app-0", take_over=lambda producer: producer.init_transactions()
    )
