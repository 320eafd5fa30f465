"""Parts of the Kafka transport that need no broker."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import ConsumerGroupMetadata, TopicPartition
from kafka.coordinator.base import Generation
from kafka.structs import MemberState

from streamssl.config.sections import KafkaConfig
from streamssl.config.settings import load_config
from streamssl.data.events import Message, OutputRecord, Range
from streamssl.transport.base import PartitionOutput, Transaction
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.client_logs import demote_client_logs
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.failures import RecordTooLargeError
from streamssl.transport.kafka.journal_reader import JournalReader, JournalUnreadableError
from streamssl.transport.kafka.message_queues import MessageQueues
from streamssl.transport.kafka.producer_record import ProducerRecord, check_sizes
from streamssl.transport.kafka.rejoin import DeferredJoins, HeldPartitionsAssignor
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.security import client_settings


def messages(*offsets: int) -> list[Message]:
    return [Message(0, offset, None, b"four") for offset in offsets]


class Lines(logging.Handler):
    """Remembers the texts that reached it."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def test_security_settings_are_passed_on(tmp_path: Path) -> None:
    """Secrets come from values or files; what is not configured is left to kafka-python."""
    password, authority = tmp_path / "password", tmp_path / "ca.pem"
    password.write_text(" from a file \n")
    authority.touch()
    given = {
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "SASL_SSL",
        "ssl_cafile": str(authority),
        "ssl_password": "a value",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "user",
        "sasl_plain_password_file": str(password),
    }
    kafka = load_config({"kafka": given}, environ={}).kafka
    password.unlink()  # It is read once, when the configuration is loaded.
    settings = client_settings(kafka)
    assert settings["bootstrap_servers"] == ["a:1", "b:2"]
    assert settings["sasl_plain_password"] == " from a file "
    assert settings["ssl_password"] == "a value"
    assert settings["ssl_cafile"] == str(authority)
    assert settings["ssl_check_hostname"] is True
    plain = client_settings(KafkaConfig())
    assert not [name for name in plain if name.startswith(("ssl_", "sasl_"))]


def test_an_incarnation_ends_with_its_assignment() -> None:
    """Coming back begins a new incarnation; losing is like revoking."""
    assignments = Assignments()
    assignments.assign([0, 1])
    assert assignments.held() == {0: 1, 1: 1}
    assignments.revoke([0])
    assert assignments.held() == {1: 1}
    assignments.assign([0])
    assignments.lose([1])
    assert assignments.held() == {0: 2}


class Coordinator:
    """What `DeferredJoins` sees of a consumer's coordinator."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._net = SimpleNamespace(sleep=None)
        self.did: list[str] = []

    async def _on_join_prepare_async(self, *_: object) -> None:
        self.did.append("prepared")

    async def _do_join_and_sync_async(self) -> None:
        self.did.append("joined")


def test_every_attempt_to_join_looks_whether_the_membership_was_lost() -> None:
    """Expelled in the middle of a rebalance: what was held is lost before it is given anew."""
    lost, member = Coordinator(Generation.NO_GENERATION), Coordinator(Generation(4, "a", None))
    for coordinator in (lost, member):
        joins = DeferredJoins(SimpleNamespace(_coordinator=coordinator))
        with joins.polling():
            asyncio.run(coordinator._do_join_and_sync_async())
    assert lost.did == ["prepared", "joined"]
    assert member.did == ["joined"]


def test_a_lost_membership_claims_nothing() -> None:
    """Thawed, a member does not claim what it was assigned before: another may hold it by now."""
    assignments, old = Assignments(), [TopicPartition("t", 0), TopicPartition("t", 1)]
    assignor = HeldPartitionsAssignor("t", assignments.held)
    assignments.assign([0, 1])
    assignor.member_assignment = old  # as the client notes it
    assert claims(assignor) == [0, 1]
    assignor.member_assignment = old
    assignments.revoke([0])
    assert claims(assignor) == [1]
    assignments.lose([1])
    assert claims(assignor) == []


def claims(assignor: HeldPartitionsAssignor) -> list[int]:
    """Partitions that a member says it owns, as it joins."""
    return [p for owned in assignor.metadata({"t"}).owned_partitions for p in owned.partitions]


def test_a_loss_is_told_from_a_rebalance() -> None:
    """Only what ended with the membership may land under a later incarnation."""
    assignments = Assignments()
    assignments.assign([0, 1])
    assignments.revoke([0])
    assignments.lose([1])
    assert assignments.lost() == {(1, 1)}


def test_queues_know_their_size_and_order() -> None:
    """What goes in comes out in order; messages and bytes are counted."""
    queues = MessageQueues()
    queues.put(0, messages(1, 2, 5))
    queues.put(1, messages(7))
    assert (queues.num_messages, queues.num_bytes) == (4, 16)
    assert (queues.first(0), queues.last(0), queues.first(2)) == (1, 5, None)
    assert [m.offset for m in queues.take_below(0, 5)] == [1, 2]
    queues.drop(1)
    assert queues.counts() == {0: 1}
    assert (queues.num_messages, queues.num_bytes) == (1, 4)


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_the_client_s_own_lines_are_for_debugging(level: str) -> None:
    """An operator sees one line an outage, ours; kafka-python's hundreds only with DEBUG."""
    lines, ours = Lines(), logging.getLogger("streamssl")
    before = ours.level
    logging.getLogger().addHandler(lines)
    try:
        ours.setLevel(level)
        demote_client_logs()
        demote_client_logs()
        logging.getLogger("kafka.made_later").error("failed: attempt %d", 1)
    finally:
        ours.setLevel(before)
        logging.getLogger().removeHandler(lines)
    assert lines.texts == (["failed: attempt 1"] if level == "DEBUG" else [])


def test_a_record_that_its_topic_would_refuse_is_found_before_it_is_sent() -> None:
    """Key and headers count too."""
    record = OutputRecord("dlq", b"k" * 500, b"v" * 500, (("reason", b"r" * 500),))
    check_sizes([ProducerRecord("app.dlq", 0, record)], {"app.dlq": 2_000})
    with pytest.raises(RecordTooLargeError, match=r"app\.dlq"):
        check_sizes([ProducerRecord("app.dlq", 0, record)], {"app.dlq": 1_500})


@pytest.mark.parametrize(("lost", "num_turns"), [(set(), 0), ({(0, 1)}, 2)])
def test_only_what_was_lost_waits_for_the_end_of_a_rebalance(
    lost: set[tuple[int, int]], num_turns: int
) -> None:
    """Another member may take long to rejoin; what is held without a break lands meanwhile."""
    turned = list[None]()

    def membership() -> ConsumerGroupMetadata:
        state = MemberState.STABLE if len(turned) == 2 else MemberState.REBALANCING
        return ConsumerGroupMetadata("app", 1, "a", None, state)

    subscription = SimpleNamespace(
        membership=membership, lost=lambda: lost, keep_alive=lambda: turned.append(None)
    )
    committer: Any = object.__new__(ExactlyOnce)
    committer._subscription, committer._retry_policy = subscription, RetryPolicy(lambda: False)
    part = PartitionOutput(Range(0, 0, 1, 1, 0), 1)
    record = JournalRecord(instance=0, seq=1, epoch=1)
    assert committer._membership(Transaction(record, {0: part})).member_id == "a"
    assert len(turned) == num_turns


def test_a_journal_of_an_earlier_form_is_refused_with_what_to_do() -> None:
    """The error names the record, the field and the remedy; nothing is read half."""
    earlier = (
        b'{"instance":0,"seq":1,"epoch":0,"ranges":{"1":[0,4,4,7]},"space":[1,"0/provisional"]}'
    )
    reader: Any = SimpleNamespace(
        oldest=lambda _: 0,
        read=lambda *_: [Message(0, 5, None, earlier)],
        forget=lambda: None,
    )
    admin: Any = SimpleNamespace(uncommitted_end=lambda _: 6)
    journal = JournalReader(
        reader,
        admin,
        tp=TopicPartition("app.journal", 0),
        retry_policy=RetryPolicy(lambda: False),
    )
    expected = r"app\.journal/0/5 is not .*\$\.space.*use the version that wrote it, or another app"
    with pytest.raises(JournalUnreadableError, match=expected):
        journal.read(0)
