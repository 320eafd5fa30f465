"""kafka-python's producer, made to end: its commit and its sender can go on for ever."""

from __future__ import annotations

from contextlib import suppress

from kafka import KafkaProducer, errors

from streamssl.transport.kafka.patience import TROUBLE


class Producer(KafkaProducer):  # type: ignore[misc]  # untyped library
    """A producer whose commit gives up when the broker has given up the transaction."""

    def commit_transaction(self) -> None:
        """Commit the transaction that was begun.

        Raises:
            KafkaTimeoutError: No answer within the transaction's time-out; it may have landed.
        """
        result = self._transaction_manager.begin_commit()
        self._sender.wakeup()
        if not result.wait(timeout_ms=self.config["transaction_timeout_ms"]):
            raise errors.KafkaTimeoutError("the broker did not answer a commit in time")


def discard(producer: KafkaProducer) -> None:
    """End a producer of which nothing is expected any more, its thread included."""
    with suppress(*TROUBLE):
        producer.close(timeout=0)
    # close() gives up before it ends the sender where records cannot be flushed, and a sender
    # that lives on would retry them.
    producer._sender.force_close()
