"""What a group's consumer of either library tells the policy above it, on a mock cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer, errors
from kafka.record.default_records import DefaultRecordBatchBuilder

from streamssl.config.sections import KafkaConfig
from streamssl.config.settings import load_config
from streamssl.data.events import Message
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.clients import kafka_python, library_of
from streamssl.transport.kafka.clients.base import (
    GroupConsumer,
    NoPositionError,
    OutOfRangeError,
    ProducerOptions,
)
from streamssl.transport.kafka.clients.librdkafka.members import (
    UnknownClientError,
    generation_and_member,
)
from streamssl.transport.kafka.clients.librdkafka.settings import (
    consumer_settings,
    producer_settings,
)
from streamssl.transport.kafka.patience import HOPELESS
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.unreadable import TopicUnreadableError
from tests.transport import mock_cluster
from tests.transport.mock_cluster import MockCluster

LIMIT_S = 15.0
OLD = {"api_version": (2, 3)}
FENCED_INSTANCE, ILLEGAL_GENERATION, GROUP_DENIED = 82, 22, 30
OPTIONS = ProducerOptions("app-0", 10_000, 5_000, 6_000, 8 * 2**20, 2**20)


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster(events=2) as cluster:
        yield cluster


class Member:
    """A consumer of the topic `events`, and what it holds."""

    def __init__(self, cluster: MockCluster, client: str) -> None:
        given = {"client": client, "bootstrap_servers": cluster.bootstrap_servers}
        self.assignments = Assignments()
        self.consumer: GroupConsumer = library_of(KafkaConfig.model_validate(given)).new_consumer(
            topic="events", group="app", member="app-0", assignments=self.assignments
        )

    def fails(self, kind: type[Exception], found: list[Message] | None = None) -> Any:
        """What a poll of the next seconds fails with; what came before goes to `found`."""
        with pytest.raises(kind) as told:
            self.until(lambda: False, found)
        return told.value

    def until(
        self, condition: Callable[[], bool], found: list[Message] | None = None
    ) -> list[Message]:
        """What polls give until then."""
        found = [] if found is None else found
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            for messages in self.consumer.poll(0.1, 100).values():
                found += messages
        return found


@pytest.fixture
def member(cluster: MockCluster, client: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Member]:
    """A member that holds both partitions, of which the group has no positions."""
    monkeypatch.setattr(kafka_python, "client_settings", lambda kafka: client_settings(kafka) | OLD)
    member = Member(cluster, client)
    member.consumer.join()
    error = member.fails(NoPositionError)
    while error.partitions != [0, 1]:  # told again as long as nobody says where to begin
        error = member.fails(NoPositionError)
    yield member
    member.consumer.close(2.0)


def test_partitions_begin_where_they_are_told(cluster: MockCluster, member: Member) -> None:
    """Nothing is read before; then all from there on, and the end is known."""
    _produce(cluster, 10)
    for partition in (0, 1):
        member.consumer.seek(partition, 4)
    found = member.until(lambda: [member.consumer.position(p) for p in (0, 1)] == [10, 10])
    assert sorted(m.offset for m in found) == sorted([*range(4, 10), *range(4, 10)])
    assert [member.consumer.known_end(p) for p in (0, 1)] == [10, 10]
    assert member.consumer.oldest([0, 1]) == {0: 0, 1: 0}
    assert member.consumer.newest([0, 1]) == {0: 10, 1: 10}


def test_a_position_that_is_not_kept_is_told_until_another_is_given(
    cluster: MockCluster, member: Member
) -> None:
    """Where to go on is decided once, above; the other partition goes on meanwhile."""
    _produce(cluster, 3)
    member.consumer.seek(0, 99)
    member.consumer.seek(1, 0)
    assert member.fails(OutOfRangeError).positions == {0: 99}
    assert member.fails(OutOfRangeError).positions == {0: 99}
    member.consumer.seek(0, 1)
    found = member.until(lambda: [member.consumer.position(p) for p in (0, 1)] == [3, 3])
    assert [m.offset for m in found if m.partition == 0] == [1, 2]


def test_positions_are_committed_under_a_membership(cluster: MockCluster, member: Member) -> None:
    """A membership that has ended is told as such; a coordinator that moves is waited out."""
    membership = member.consumer.membership()
    assert membership is not None
    assert membership.member_id == member.consumer.member_id()
    assert membership.is_stable
    assert member.consumer.committed(0) is None
    cluster.fail(mock_cluster.OFFSET_COMMIT, 16, 14)
    member.consumer.commit({0: 7})
    assert member.consumer.committed(0) == 7
    cluster.fail(mock_cluster.OFFSET_COMMIT, ILLEGAL_GENERATION)
    with pytest.raises(errors.CommitFailedError):
        member.consumer.commit({0: 8})


@pytest.mark.parametrize("client", ["librdkafka"], indirect=True)
def test_another_process_of_the_same_name_is_told(cluster: MockCluster, member: Member) -> None:
    """The group has given our place away: every later poll says so, whatever is there to be read.

    kafka-python only logs a heartbeat that is answered so; it learns of it when it commits
    (`test_kafka_commit.py`).
    """
    for partition in (0, 1):
        member.consumer.seek(partition, 0)
    cluster.fail(mock_cluster.HEARTBEAT, *[FENCED_INSTANCE] * 20)
    found: list[Message] = []
    told = member.fails(errors.FencedInstanceIdError, found)
    assert type(told) is errors.FencedInstanceIdError
    _produce(cluster, 3)
    assert type(member.fails(errors.FencedInstanceIdError, found)) is errors.FencedInstanceIdError
    assert found == []


def test_a_group_that_may_not_be_used_is_told(
    cluster: MockCluster, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting gives no rights: the error is one that ends the process."""
    monkeypatch.setattr(kafka_python, "client_settings", lambda kafka: client_settings(kafka) | OLD)
    cluster.fail(mock_cluster.JOIN_GROUP, *[GROUP_DENIED] * 50)
    member = Member(cluster, client)
    member.consumer.join()
    assert isinstance(member.fails(errors.GroupAuthorizationFailedError), HOPELESS)
    member.consumer.close(2.0)


@pytest.mark.parametrize("client", ["librdkafka"], indirect=True)
def test_nothing_passes_a_damaged_record(
    cluster: MockCluster, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Librdkafka tells once and reads on behind it: the process ends, and skips nothing.

    The mock keeps bytes as they come, where a real broker refuses them. What kafka-python does is
    shown in `test_kafka_reading.py`.
    """
    _produce(cluster, 3)
    with monkeypatch.context() as damaging:
        damaging.setattr(DefaultRecordBatchBuilder, "MAX_RECORD_OVERHEAD", 21)
        damaging.setattr("kafka.record.default_records.calc_crc32c", lambda _: 1)
        _produce(cluster, 3)
    _produce(cluster, 3)
    for partition in (0, 1):
        member.consumer.seek(partition, 0)
    found: list[Message] = []
    told = str(member.fails(TopicUnreadableError, found))
    assert re.search(r"events, partition \d, from offset 3 are damaged", told)
    assert max(m.offset for m in found) <= 2
    assert str(member.fails(TopicUnreadableError, found)) == told  # a second poll ends too


def test_security_settings_reach_librdkafka_in_its_own_words(tmp_path: Path) -> None:
    """Secrets come from values or files; what is not configured is left to the library."""
    password, files = tmp_path / "password", [tmp_path / name for name in ("ca", "cert", "key")]
    password.write_text("from a file\n")
    for file in files:
        file.touch()
    given = {
        "client": "librdkafka",
        "bootstrap_servers": "a:1,b:2",
        "security_protocol": "SASL_SSL",
        **dict(zip(("ssl_cafile", "ssl_certfile", "ssl_keyfile"), map(str, files), strict=True)),
        "ssl_password": "a value",
        "ssl_check_hostname": False,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "user",
        "sasl_plain_password_file": str(password),
    }
    kafka = load_config({"kafka": given}, environ={}).kafka
    for settings in (
        consumer_settings(kafka, group="g", member="m"),
        producer_settings(kafka, OPTIONS),
    ):
        assert settings["bootstrap.servers"] == "a:1,b:2"
        assert settings["sasl.password"] == "from a file"
        assert settings["ssl.key.password"] == "a value"
        assert settings["ssl.ca.location"] == str(files[0])
        assert settings["ssl.endpoint.identification.algorithm"] == "none"
    plain = consumer_settings(KafkaConfig(), group="g", member="m")
    assert not [name for name in plain if name.startswith(("ssl.", "sasl."))]


def test_what_librdkafka_holds_is_bounded() -> None:
    """Memory for records read ahead, and for a batch, does not follow the topic's size."""
    consumer = consumer_settings(KafkaConfig(), group="g", member="m")
    assert consumer["queued.max.messages.kbytes"] * 1_024 + consumer["fetch.max.bytes"] < 32 * 2**20
    small = ProducerOptions("app-0", 10_000, 5_000, 6_000, 8 * 2**20, 5_000)
    assert producer_settings(KafkaConfig(), small)["batch.size"] == 5_000


def test_a_membership_is_read_from_librdkafkas_bytes() -> None:
    """Another version of them is refused with the remedy, not guessed at."""
    joined = b"CGMDv2:\x05\x00\x00\x00group\x00me-1\x00\x01"
    assert generation_and_member(joined) == (5, "me-1")
    assert generation_and_member(b"CGMDv2:\xff\xff\xff\xffgroup\x00\x00\x01") == (-1, "")
    with pytest.raises(UnknownClientError, match="install confluent-kafka"):
        generation_and_member(b"CGMDv3:")


def _produce(cluster: MockCluster, num_messages: int) -> None:
    """So many messages in each of both partitions, in one batch each."""
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, linger_ms=50, **OLD)
    for number in range(num_messages):
        for partition in (0, 1):
            producer.send("events", b"%d" % number, partition=partition)
    producer.flush(5)
    producer.close(timeout=1)
