"""Kafka as the transport: the only room that knows a Kafka client, two of them (`clients/`).

Facts about kafka-python 3.0.12 that shaped it, each with its test where it can be provoked:

- a send that expires fails only its own future: `outbox.py` looks at the outcome of every send;
- a commit has no time-out of its own, and a sender may live on: `clients/kafka_python/producer.py`;
- rebalance callbacks run on the client's I/O thread: `assignments.py` only sets flags;
- a rebalance that ends between two polls is thrown away and begun again:
  `clients/kafka_python/rejoin.py`;
- a member that lost its membership claims its old partitions as it joins: the same file;
- `pause()` can lose a partition for good, and one partition is drained at a time: `receiver.py`
  never pauses, it keeps a bounded stash, from which `source.py` takes equal shares;
- `close()` of a static member does not leave the group: `connection.py` removes it.

And of Apache Kafka 4.3.1: a hard restart may leave transactions without an end: `fence.py`.
"""

from streamssl.transport.kafka.transport import KafkaTransport

__all__ = ["KafkaTransport"]
