"""Kafka as the transport: the only room that knows a Kafka client.

`transport.py` keeps the contract, `connection.py` opens and closes everything. By task:

- reading as a member of the group: `subscription.py` gives slices of what `fetch_buffer.py` keeps
  in `message_queues.py` and `cursors.py` follows; below is kafka-python's consumer
  (`group_consumer.py`, `assignments.py`, `rejoin.py`, `record_decoding.py`);
- reading again, outside the group: `range_reader.py`, on it `journal_reader.py`, and
  `readonly.py` and `sample.py` for another process than the daemon;
- writing: `exactly_once.py` and `at_least_once.py` (what they share: `commit.py`) by way of
  `output_writer.py`; below is kafka-python's producer (`producer.py`, `producer_record.py`,
  `record_encoding.py`), and `fence.py` before its first record;
- failing: `failures.py` says what errors mean, `retry.py` and `timeout.py` how long is waited.

Facts about kafka-python 3.0.12 that shaped it, each with its test where it can be provoked:

- a send that expires fails only its own future: `output_writer.py` looks at the outcome of each;
- a commit has no time-out of its own, and a sender may live on: `producer.py`;
- rebalance callbacks run on the client's I/O thread: `assignments.py` only sets flags;
- a rebalance that ends between two polls is thrown away and begun again: `rejoin.py`;
- a member that lost its membership claims its old partitions as it joins: the same file;
- `pause()` can lose a partition for good, and one partition is drained at a time:
  `fetch_buffer.py` never pauses, it is bounded, and `subscription.py` takes equal shares of it;
- a header's name that is no UTF-8 is an error for ever: `record_decoding.py` reads it as it is;
- `close()` of a static member does not leave the group: `connection.py` removes it.

And of Apache Kafka 4.3.1: a hard restart may leave transactions without an end: `fence.py`.
"""

from streamssl.transport.kafka.transport import KafkaTransport

__all__ = ["KafkaTransport"]
