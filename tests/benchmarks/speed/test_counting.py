"""The independent count: every event once, by the ids of the results, and how fast they came."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.speed.bed import Bed
from benchmarks.speed.counting import count, delivery, ids_in
from benchmarks.speed.ours import PACKED_OUT, Ours, run_ours
from benchmarks.speed.plan import CORE, SpeedPlan
from benchmarks.speed.stream import generate
from streamssl.codecs.registry import build_codec
from streamssl.data.events import EventBatch, Message
from streamssl.devkit.delivery import InputLog
from streamssl.stream import StreamLearner

PLAN = SpeedPlan(events=2_000, overrides=CORE)


def scores(batch: EventBatch, *settings: str) -> list[Message]:
    """The messages of the scores topic, of each partition in turn."""
    config = PLAN.config(*settings)
    learner, codec = StreamLearner(config), build_codec(config)
    return [
        Message(partition, 0, record.key, record.value, headers=record.headers)
        for partition in range(4)
        for record in codec.encode(learner.process(batch.take(batch.partition == partition)))
    ]


def inputs_of(batch: EventBatch) -> InputLog:
    """What a broker acknowledges while these events are put in."""
    inputs = InputLog()
    for partition, offset in zip(batch.partition.tolist(), batch.offset.tolist(), strict=True):
        inputs.acknowledge(partition, offset)
    return inputs


@pytest.mark.parametrize("settings", [(), PACKED_OUT])
def test_each_result_is_counted_for_its_own_event(settings: tuple[str, ...]) -> None:
    """A message an event or packed: as many as there are, and one that is twice is no other's."""
    batch = generate(200, num_channels=2, num_keys=9)
    messages = scores(batch, *settings)
    assert count(messages, lambda m: len(ids_in(m))).events == 200
    assert delivery(messages, inputs_of(batch)).exact
    doubled = [*messages[1:], messages[-1]]
    tally = delivery(doubled, inputs_of(batch))
    assert (tally.lost, tally.repeated) == (len(ids_in(messages[0])), len(ids_in(messages[-1])))


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    """A broker of its own, with few events."""
    with Bed(PLAN) as bed:
        yield bed


@pytest.mark.kafka
@pytest.mark.parametrize("row", [Ours("json", ""), Ours("packed", "", PACKED_OUT)])
def test_the_daemon_on_a_real_broker_is_counted(bed: Bed, row: Ours) -> None:
    """From the filled topic to the row of the table: every event, exactly once."""
    ran = run_ours(bed, row)
    assert len(bed.inputs[ran.config.input.topic]) == PLAN.events
    assert ran.rate.complete
    assert (ran.rate.counted, ran.rate.inexact) == (PLAN.events, "")
    assert ran.rate.learnt_per_event is not None
    assert 100 < bed.message_bytes("json") < 250
