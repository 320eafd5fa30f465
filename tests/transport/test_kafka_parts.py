"""Parts of the Kafka transport that need no broker."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition, errors
from kafka.coordinator.base import Generation

from streamssl.config.sections import KafkaConfig
from streamssl.config.settings import load_config
from streamssl.data.events import Message, OutputRecord, Range
from streamssl.transport.base import PartitionOutput, Transaction, TransportUnavailableError
from streamssl.transport.journal import JournalRecord
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.clients.base import Addressed, Membership
from streamssl.transport.kafka.clients.kafka_python.rejoin import HonestAssignor, KeptJoins
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.outbox import RecordTooLargeError, check_sizes, is_fenced
from streamssl.transport.kafka.patience import Patience, StoppedError, bounded
from streamssl.transport.kafka.quiet import quieten
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.stash import Stash


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
    """What `KeptJoins` sees of a consumer's coordinator."""

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
        joins = KeptJoins(SimpleNamespace(_coordinator=coordinator))
        with joins.polling():
            asyncio.run(coordinator._do_join_and_sync_async())
    assert lost.did == ["prepared", "joined"]
    assert member.did == ["joined"]


def test_a_lost_membership_claims_nothing() -> None:
    """Thawed, a member does not claim what it was assigned before: another may hold it by now."""
    assignments, old = Assignments(), [TopicPartition("t", 0), TopicPartition("t", 1)]
    assignor = HonestAssignor("t", assignments.held)
    assignments.assign([0, 1])
    assignor.member_assignment = old  # as the client notes it
    assert claims(assignor) == [0, 1]
    assignor.member_assignment = old
    assignments.revoke([0])
    assert claims(assignor) == [1]
    assignments.lose([1])
    assert claims(assignor) == []


def claims(assignor: HonestAssignor) -> list[int]:
    """Partitions that a member says it owns, as it joins."""
    return [p for owned in assignor.metadata({"t"}).owned_partitions for p in owned.partitions]


def test_a_loss_is_told_from_a_rebalance() -> None:
    """Only what ended with the membership may land under a later incarnation."""
    assignments = Assignments()
    assignments.assign([0, 1])
    assignments.revoke([0])
    assignments.lose([1])
    assert assignments.lost() == {(1, 1)}


def test_a_stash_knows_its_size_and_order() -> None:
    """What goes in comes out in order; messages and bytes are counted."""
    stash = Stash()
    stash.put(0, messages(1, 2, 5))
    stash.put(1, messages(7))
    assert (stash.num_messages, stash.num_bytes) == (4, 16)
    assert (stash.first(0), stash.last(0), stash.first(2)) == (1, 5, None)
    assert [m.offset for m in stash.take_below(0, 5)] == [1, 2]
    stash.drop(1)
    assert stash.counts() == {0: 1}
    assert (stash.num_messages, stash.num_bytes) == (1, 4)


def test_patience_retries_until_it_goes_well() -> None:
    """Trouble is named while it lasts, and gone afterwards."""
    patience, seen = Patience(lambda: False), []

    def flaky() -> str:
        seen.append(patience.trouble)
        if len(seen) < 3:
            raise errors.KafkaTimeoutError("not yet")
        return "well"

    assert patience.retry(flaky) == "well"
    assert "not yet" in seen[-1]
    assert patience.trouble == ""


def test_patience_ends_when_the_process_shall_stop() -> None:
    """After a grace for what is unfinished, a stop is an error that says what was wrong."""
    patience = Patience(lambda: True, grace_s=0.1)
    with pytest.raises(StoppedError, match="no brokers"):
        patience.retry(lambda: _fail(errors.KafkaConnectionError("no brokers")))


def test_patience_with_a_start_is_limited() -> None:
    """`kafka.start_timeout_s` bounds a start, not what comes after it."""
    patience = Patience(lambda: False)
    patience.begin(0.1)
    with pytest.raises(TransportUnavailableError, match="bootstrap_servers"):
        patience.retry(lambda: _fail(OSError("refused")))
    patience.settled()
    patience.check()


def test_a_refusal_is_not_waited_out() -> None:
    """Missing rights are told at once, with the rights that are needed."""
    patience = Patience(lambda: False)
    with pytest.raises(TransportUnavailableError, match="refuses"):
        patience.retry(lambda: _fail(errors.TopicAuthorizationFailedError("events")))


def test_a_bounded_call_gives_its_result_its_error_or_a_timeout() -> None:
    """The caller's own work turns meanwhile, and nothing waits for ever."""
    turned: list[float] = []
    turn = lambda: turned.append(time.monotonic())  # noqa: E731
    assert bounded(lambda: 7, 5.0, turn) == 7
    with pytest.raises(OSError, match="broken"):
        bounded(lambda: _fail(OSError("broken")), 5.0, turn)
    assert not turned
    release = threading.Event()
    with pytest.raises(errors.KafkaTimeoutError):
        bounded(lambda: release.wait(10), 0.2, turn, patient_s=0.05)
    release.set()
    assert turned


def test_a_repeated_log_line_is_kept_back() -> None:
    """Ten lines a second become one, however often the transport is opened."""
    logger, lines = logging.getLogger("kafka.quiet_test"), Lines()
    logger.addHandler(lines)
    quieten()
    quieten()
    for number in range(5):
        logger.error("failed: attempt %d", number)
    logger.error("something else")
    assert lines.texts == ["failed: attempt 0", "something else"]
    assert len(logger.filters) == 1


def test_a_fence_is_recognised_in_every_form() -> None:
    """kafka-python raises it bare first, then wrapped, then as text."""
    assert is_fenced(errors.ProducerFencedError())
    assert is_fenced(errors.KafkaError("failed", errors.InvalidProducerEpochError()))
    assert is_fenced(errors.KafkaError("in an error state: [Error 90] ProducerFencedError"))
    assert not is_fenced(errors.KafkaTimeoutError("slow"))


def test_a_record_that_its_topic_would_refuse_is_found_before_it_is_sent() -> None:
    """Key and headers count too."""
    record = OutputRecord("dlq", b"k" * 500, b"v" * 500, (("reason", b"r" * 500),))
    check_sizes([Addressed("app.dlq", 0, record)], {"app.dlq": 2_000})
    with pytest.raises(RecordTooLargeError, match=r"app\.dlq"):
        check_sizes([Addressed("app.dlq", 0, record)], {"app.dlq": 1_500})


def _fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(("lost", "num_turns"), [(set(), 0), ({(0, 1)}, 2)])
def test_only_what_was_lost_waits_for_the_end_of_a_rebalance(
    lost: set[tuple[int, int]], num_turns: int
) -> None:
    """Another member may take long to rejoin; what is held without a break lands meanwhile."""
    is_stable, turned = [False], list[None]()

    def pump() -> None:
        turned.append(None)
        is_stable[:] = [len(turned) == 2]

    source = SimpleNamespace(
        membership=lambda: Membership("a", is_stable[0], None),
        lost=lambda: lost,
        pump=pump,
    )
    committer: Any = object.__new__(ExactlyOnce)
    committer._source, committer._patience = source, Patience(lambda: False)
    part = PartitionOutput(Range(0, 0, 1, 1, 0), 1)
    record = JournalRecord(instance=0, seq=1, epoch=1)
    assert committer._membership(Transaction(record, {0: part})).member_id == "a"
    assert len(turned) == num_turns
