"""Bare confluent-kafka (librdkafka): the same loop and task as `kafka_python.py`.

Runs in any environment that has confluent-kafka; it imports nothing of streamssl.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, Producer


def open_clients(task: dict[str, Any]) -> tuple[Any, Any]:
    """A consumer in a group of its own, and a transactional producer."""
    name = f"floor-{uuid4().hex[:8]}"
    consumer = Consumer(
        {
            "bootstrap.servers": task["bootstrap"],
            "group.id": name,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([task["input"]])
    producer = Producer(
        {
            "bootstrap.servers": task["bootstrap"],
            "transactional.id": name,
            "linger.ms": 2,
            "batch.size": 256 * 1024,
            "message.max.bytes": 8 * 2**20,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions()
    return consumer, producer


def send(producer: Any, task: dict[str, Any], messages: list[Any]) -> None:
    """The messages of one transaction."""
    headers = [(name, value.encode()) for name, value in task["headers"]]
    value = b"x" * task["value_bytes"]
    counts: dict[int, int] = {}
    for message in messages:
        partition = message.partition()
        counts[partition] = counts.get(partition, 0) + 1
        if value:
            producer.produce(
                task["output"], value=value, key=message.key(), headers=headers, partition=partition
            )
    for partition, count in counts.items():
        packed = bytes(round(task["packed_bytes"] * count))
        if packed:
            producer.produce(task["packed"], value=packed, headers=headers, partition=partition)


def main() -> None:
    """Do the task; the first batch, with which the clock begins, is timed too."""
    task = json.loads(sys.argv[1])
    consumer, producer = open_clients(task)
    num_events, began_s = 0, 0.0
    while num_events < task["events"]:
        messages = consumer.consume(task["transaction"], timeout=0.2)
        messages = [message for message in messages if not message.error()]
        if not messages:
            continue
        began_s = began_s or time.perf_counter()
        producer.begin_transaction()
        send(producer, task, messages)
        positions = consumer.position(consumer.assignment())
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata())
        producer.commit_transaction()
        num_events += len(messages)
    seconds = time.perf_counter() - began_s
    consumer.close()
    told = {
        "events": num_events,
        "seconds": seconds,
        "client": f"confluent-kafka {version('confluent-kafka')}",
    }
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
