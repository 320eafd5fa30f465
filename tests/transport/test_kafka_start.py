"""What a start on a real Kafka checks, makes and refuses."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from kafka.admin import ConfigResource
from pydantic import ValidationError

from streamssl.config.sections import OutputsConfig
from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka import KafkaTransport
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.topics import RECORD_BYTES, Admin
from tests.conftest import RunningBroker
from tests.transport.kafka_stream import Stream, Worker

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name, num_partitions=3)


def test_output_topics_are_made_with_documented_settings(stream: Stream) -> None:
    """Partitions follow the input; the journal has one per instance and is kept for ever."""
    with stream.opened(outputs=OutputsConfig()):
        pass
    admin = Admin(client_settings(stream.kafka))
    words = ("scores", "embeddings", "incidents", "dlq", "journal", "spaces")
    topics = [f"{stream.app}.{word}" for word in words]
    told = admin.client.describe_configs([ConfigResource("TOPIC", t) for t in topics])["topic"]
    counts = [admin.num_partitions(topic) for topic in topics]
    admin.close()
    assert counts == [3, 3, 3, 3, 16, 1]
    assert told[f"{stream.app}.journal"]["retention.ms"]["value"] == "-1"
    assert told[f"{stream.app}.spaces"]["cleanup.policy"]["value"] == "compact"
    assert all(int(told[t]["max.message.bytes"]["value"]) == RECORD_BYTES for t in topics)


def test_a_disabled_output_has_no_topic(stream: Stream) -> None:
    """What is not written is not made."""
    outputs = OutputsConfig(embeddings={"enabled": False})
    with stream.opened(outputs=outputs):
        pass
    admin = Admin(client_settings(stream.kafka))
    with pytest.raises(TransportUnavailableError):
        admin.num_partitions(f"{stream.app}.embeddings")
    admin.close()


def test_a_missing_input_topic_is_named_with_its_remedy(stream: Stream) -> None:
    """The error says which topic, on which broker, and how to make it; exit code 3."""
    stream.topic = "absent"
    with pytest.raises(TransportUnavailableError, match=r"absent does not exist.*--create") as told:
        stream.transport().open()
    assert told.value.exit_code == 3


def test_missing_outputs_are_named_where_they_may_not_be_made(stream: Stream) -> None:
    """`outputs.create_topics: false` means that somebody else makes them."""
    outputs = OutputsConfig(create_topics=False)
    with pytest.raises(TransportUnavailableError, match=rf"{stream.app}\.scores"):
        stream.transport(outputs=outputs).open()


def test_an_output_topic_with_too_few_partitions_is_refused(stream: Stream) -> None:
    """Results go to the partition number of their input, so it must exist."""
    with stream.opened():
        pass
    admin = Admin(client_settings(stream.kafka))
    _grow(admin, stream, 5)
    admin.close()
    with pytest.raises(TransportUnavailableError, match="has 3 partitions but needs 5"):
        stream.transport(outputs=OutputsConfig(create_topics=False)).open()


def test_outputs_grow_with_the_input(stream: Stream) -> None:
    """Partitions that are added to the input while the daemon runs are scored too."""
    stream.produce(range(6))
    with stream.joined() as transport:
        worker = Worker(transport)
        worker.run(6)
        _grow(transport._open.admin, stream, 4)
        _look_for_partitions(transport)
        stream.produce(range(6, 14))
        worker.run(8)
        assert set(transport.assignment()) == {0, 1, 2, 3}
    assert stream.published() == Counter(range(14))


def test_a_partition_that_appears_begins_at_its_first_message(stream: Stream) -> None:
    """Under `input.start: latest` too: what came before the group saw it is read, by whom ever."""
    stream.produce(range(6))
    with stream.joined(start="latest") as transport:
        while set(transport.lag()) != {0, 1, 2}:
            assert not transport.poll(10, 0.1)
        _grow(transport._open.admin, stream, 4)
        stream.produce(range(6, 12))
        _look_for_partitions(transport)
        worker = Worker(transport)
        worker.run(6)
        _grow(transport._open.admin, stream, 5)
    stream.produce(range(12, 20))
    with stream.joined(start="latest") as transport:  # a process that never knew it otherwise
        other = Worker(transport)
        other.seq = worker.seq
        other.run(8)
    assert stream.published() == Counter(range(6, 20))


def test_an_instance_without_a_journal_partition_is_refused(stream: Stream) -> None:
    """A shared journal partition would let a dead neighbour hide our records."""
    with pytest.raises(ValidationError, match="journal_partitions"):
        stream.transport(2, outputs=OutputsConfig(journal_partitions=2))


def test_a_broker_that_is_not_there_is_told_in_time(stream: Stream) -> None:
    """Nothing listens on the port: an error within about `kafka.start_timeout_s`."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    stream.kafka = stream.kafka.model_copy(
        update={"bootstrap_servers": f"127.0.0.1:{port}", "start_timeout_s": 1.0}
    )
    began = time.monotonic()
    with pytest.raises(TransportUnavailableError, match="bootstrap_servers"):
        stream.transport().open()
    assert time.monotonic() - began < 6.0


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_port_of_another_security_protocol_is_a_cause_that_is_told(
    stream: Stream, answer: bytes
) -> None:
    """Whoever listens says nothing that we understand: the setting is named as well."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream.kafka = stream.kafka.model_copy(
            update={
                "bootstrap_servers": f"127.0.0.1:{server.getsockname()[1]}",
                "start_timeout_s": 1.0,
            }
        )
        threading.Thread(target=_answer, args=(server, answer), daemon=True).start()
        with pytest.raises(TransportUnavailableError, match=r"kafka\.security_protocol"):
            stream.transport().open()


def _answer(server: socket.socket, answer: bytes) -> None:
    """Answer whoever connects with the same bytes, as long as the server is open."""
    with contextlib.suppress(OSError):
        while True:
            client = server.accept()[0]
            with client, contextlib.suppress(OSError):
                client.recv(64)
                client.sendall(answer)


def _grow(admin: Admin, stream: Stream, num_partitions: int) -> None:
    """Add partitions to the input topic, and wait until the broker tells of them."""
    admin.client.create_partitions({stream.topic: num_partitions})
    while admin.num_partitions(stream.topic) < num_partitions:
        time.sleep(0.05)
    stream.num_partitions = num_partitions


def _look_for_partitions(transport: KafkaTransport) -> None:
    """What the client does by itself within a minute."""
    transport._open.subscription._consumer._consumer._cluster.request_update()
