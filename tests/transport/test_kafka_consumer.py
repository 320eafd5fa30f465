"""What the group's consumer tells the policy above it, on a mock cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kafka import KafkaProducer, TopicPartition, errors

from streamssl.config.sections import KafkaConfig
from streamssl.data.events import Message
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.failures import FATAL_ERRORS
from streamssl.transport.kafka.group_consumer import GroupConsumer, is_stable
from streamssl.transport.kafka.security import client_settings
from tests.transport import mock_cluster
from tests.transport.mock_cluster import MockCluster

LIMIT_S = 15.0
OLD = {"api_version": (2, 3)}
ILLEGAL_GENERATION, GROUP_DENIED = 22, 30


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster(events=2) as cluster:
        yield cluster


class Member:
    """A consumer of the topic `events`, and what it holds."""

    def __init__(self, cluster: MockCluster) -> None:
        kafka = KafkaConfig(bootstrap_servers=cluster.bootstrap_servers)
        self.assignments = Assignments()
        self.consumer = GroupConsumer(
            client_settings(kafka) | OLD,
            topic="events",
            group="app",
            member="app-0",
            session_timeout_ms=kafka.session_timeout_ms,
            assignments=self.assignments,
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
def member(cluster: MockCluster) -> Iterator[Member]:
    """A member that holds both partitions, of which the group has no positions."""
    member = Member(cluster)
    member.consumer.join()
    both = {TopicPartition("events", 0), TopicPartition("events", 1)}
    while set(member.fails(errors.NoOffsetForPartitionError).args[0]) != both:
        pass  # told again as long as nobody says where to begin
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
    gone = {TopicPartition("events", 0): 99}
    assert member.fails(errors.OffsetOutOfRangeError).args[0] == gone
    assert member.fails(errors.OffsetOutOfRangeError).args[0] == gone
    member.consumer.seek(0, 1)
    found = member.until(lambda: [member.consumer.position(p) for p in (0, 1)] == [3, 3])
    assert [m.offset for m in found if m.partition == 0] == [1, 2]


def test_positions_are_committed_under_a_membership(cluster: MockCluster, member: Member) -> None:
    """A membership that has ended is told as such; a coordinator that moves is waited out."""
    membership = member.consumer.membership()
    assert membership is not None
    assert membership.member_id == member.consumer.member_id()
    assert is_stable(membership)
    assert member.consumer.committed(0) is None
    cluster.fail(mock_cluster.OFFSET_COMMIT, 16, 14)
    member.consumer.commit({0: 7})
    assert member.consumer.committed(0) == 7
    cluster.fail(mock_cluster.OFFSET_COMMIT, ILLEGAL_GENERATION)
    with pytest.raises(errors.CommitFailedError):
        member.consumer.commit({0: 8})


def test_a_group_that_may_not_be_used_is_told(cluster: MockCluster) -> None:
    """Waiting gives no rights: the error is one that ends the process."""
    cluster.fail(mock_cluster.JOIN_GROUP, *[GROUP_DENIED] * 50)
    member = Member(cluster)
    member.consumer.join()
    assert isinstance(member.fails(errors.GroupAuthorizationFailedError), FATAL_ERRORS)
    member.consumer.close(2.0)


def _produce(cluster: MockCluster, num_messages: int) -> None:
    """So many messages in each of both partitions, in one batch each."""
    producer = KafkaProducer(bootstrap_servers=cluster.bootstrap_servers, linger_ms=50, **OLD)
    for number in range(num_messages):
        for partition in (0, 1):
            producer.send("events", b"%d" % number, partition=partition)
    producer.flush(5)
    producer.close(timeout=1)
