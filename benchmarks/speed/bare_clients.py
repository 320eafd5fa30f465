"""Bare clients on Kafka: what the daemon cannot be faster than with the same client."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.speed.bars import FLOOR
from benchmarks.speed.bed import Bed
from benchmarks.speed.counting import Counted
from benchmarks.speed.messages import Messages, sample_messages
from benchmarks.speed.ours import PACKED_OUT
from benchmarks.speed.results import Rate
from benchmarks.speed.scripts import confluent_python, run_script


@dataclass(frozen=True, slots=True)
class Floor:
    """A row of a bare client.

    Attributes:
        script: Its loop; the name begins with what the script says of its client.
        settings: Of the outputs whose messages it sends.
    """

    id: str
    name: str
    script: str
    settings: tuple[str, ...] = ()


FLOORS = (
    Floor(FLOOR, "the default outputs' messages", "floors/kafka_python.py"),
    Floor("floor-packed", "results packed", "floors/kafka_python.py", PACKED_OUT),
)
CONFLUENT_FLOORS = (
    Floor("confluent-json", "the default outputs' messages", "floors/confluent.py"),
    Floor("confluent-packed", "results packed", "floors/confluent.py", PACKED_OUT),
)


def run_floor(bed: Bed, floor: Floor) -> Rate:
    """Consume, produce the same messages in transactions, and nothing else."""
    messages = sample_messages(bed.plan.config(*floor.settings), bed.events())
    output, packed = bed.topic(bed.name("floor-out")), bed.topic(bed.name("floor-packed"))
    task = floor_task(bed, messages) | {"output": output, "packed": packed}
    told = run_script(floor.script, task, _python(floor))
    counted = _count(bed, output, packed, messages)
    return counted.rate(floor.id, f"bare {told['client']}: {floor.name}", bed.plan.events)


def bare_client_s(bed: Bed) -> dict[str, float]:
    """Seconds per event of kafka-python alone: only consuming, and only producing."""
    messages = sample_messages(bed.plan.config(), bed.events())
    found = {}
    for mode in ("consume", "produce"):
        output, packed = bed.topic(bed.name("alone-out")), bed.topic(bed.name("alone-packed"))
        task = floor_task(bed, messages, mode) | {"output": output, "packed": packed}
        told = run_script(FLOORS[0].script, task)
        found[mode] = told["seconds"] / max(told["events"], 1)
    return found


def floor_task(bed: Bed, messages: Messages, mode: str = "both") -> dict[str, Any]:
    """What a bare client is told, but for its output topics."""
    return {
        "bootstrap": bed.bootstrap_servers,
        "input": bed.input("json"),
        "events": bed.plan.events,
        "transaction": bed.plan.config().delivery.max_events,
        "mode": mode,
        "value_bytes": messages.value_bytes,
        "packed_bytes": messages.packed_bytes,
        "headers": messages.headers,
    }


def _python(floor: Floor) -> Path | None:
    return confluent_python() if floor in CONFLUENT_FLOORS else None


def _count(bed: Bed, output: str, packed: str, messages: Messages) -> Counted:
    """Packed messages stand for as many events as they have bytes for."""
    if messages.value_bytes:
        return bed.count(output)
    return bed.count(packed, lambda m: round(len(m.value or b"") / messages.packed_bytes))
