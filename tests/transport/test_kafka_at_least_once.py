"""`delivery.mode: at_least_once` on a real Kafka."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tests.conftest import RunningBroker
from tests.transport.kafka_stream import FaultyProducer, Stream, Worker, wrap_producers

pytestmark = pytest.mark.kafka


@pytest.fixture
def stream(kafka_broker: RunningBroker, unique_name: Callable[[str], str]) -> Stream:
    return Stream(kafka_broker.bootstrap_servers, unique_name)


def test_without_faults_every_result_comes_once(stream: Stream) -> None:
    """Outputs, journal and positions agree."""
    stream.produce(range(400))
    with stream.joined(mode="at_least_once") as transport:
        worker = Worker(transport)
        worker.run(400)
        records, _ = transport.journal(0)
        assert [record.seq for _, record in records] == list(range(1, worker.seq))
        assert [transport.committed(p) for p in range(4)] == [100] * 4
    assert stream.published() == Counter(range(400))


def test_what_was_not_acknowledged_is_sent_again(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A send that expired is repeated before the journal record and the positions."""
    faults = ["expired", "expired"]
    monkeypatch.setattr(FaultyProducer, "faults", faults)
    wrap_producers(monkeypatch, FaultyProducer)
    stream.produce(range(100))
    with stream.joined(mode="at_least_once") as transport:
        Worker(transport).run(100)
    assert not faults
    assert stream.published() == Counter(range(100))


def test_a_crash_before_the_positions_repeats_one_transaction(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost; what is repeated is what was taken since the last commit."""
    stream.produce(range(200))
    with stream.joined(mode="at_least_once") as transport:
        worker = Worker(transport)
        worker.run(100)

        def crash(_: object) -> None:
            raise SystemExit

        monkeypatch.setattr(transport._open.subscription, "commit", crash)
        with pytest.raises(SystemExit):
            worker.run(100)
    with stream.joined(mode="at_least_once") as transport:
        Worker(transport).run(100)
    seen = stream.published()
    assert set(seen) == set(range(200))
    assert sum(seen.values()) <= 200 + 100
