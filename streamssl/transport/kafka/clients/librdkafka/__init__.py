"""librdkafka (confluent-kafka) as the client: optional, and several times as fast.

Facts about confluent-kafka 2.16 that shaped it, each with its test where it can be provoked:

- `consume(n, timeout)` waits for all n or the whole time-out: `consumer.py` asks for one first;
- a partition without a position stops for good, and `seek` is refused there: it is assigned anew;
- such an error is told once, and so is a record that cannot be read, which is then skipped:
  `trouble.py` remembers them until they are dealt with;
- the group's metadata are opaque bytes, but only the generation in them says whether this is a
  member: `members.py`;
- `close` hangs, and the interpreter with it, where an assignment was not looked at yet
  (https://github.com/confluentinc/librdkafka/issues/4884): `consumer.py` polls once before;
- freeing a client joins its threads: `producer.py` leaves that to a thread.
"""

from __future__ import annotations

from streamssl.config.sections import KafkaConfig
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.clients.base import GroupConsumer, Producer, ProducerOptions
from streamssl.transport.kafka.clients.librdkafka.consumer import RdConsumer
from streamssl.transport.kafka.clients.librdkafka.producer import RdProducer


class Librdkafka:
    """Makes clients of librdkafka.

    Args:
        kafka: How to reach the broker.
    """

    def __init__(self, kafka: KafkaConfig) -> None:
        self._kafka = kafka

    def new_consumer(
        self, *, topic: str, group: str, member: str, assignments: Assignments
    ) -> GroupConsumer:
        """A consumer that has not joined yet."""
        return RdConsumer(
            self._kafka, topic=topic, group=group, member=member, assignments=assignments
        )

    def new_producer(self, options: ProducerOptions) -> Producer:
        """A producer; it connects when it is used."""
        return RdProducer(self._kafka, options)
