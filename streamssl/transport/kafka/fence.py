"""Takes a transactional id over, and ends what the broker has forgotten to end under it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient, TopicPartition, errors
from kafka.admin import (
    AbortTransactionSpec,
    PartitionProducerState,
    TransactionDescription,
    TransactionState,
)

from streamssl.telemetry.log_events import tell
from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka.producer import Producer

log = logging.getLogger(__name__)

OFFSETS_TOPIC = "__consumer_offsets"
COMMITTED = (TransactionState.PREPARE_COMMIT, TransactionState.COMPLETE_COMMIT)
# What the broker answers to a user, or a client, that may not ask.
CANNOT_LOOK = (errors.AuthorizationError, errors.UnsupportedVersionError)


class Fence:
    """Makes a producer the only one of its transactional id, with nothing open behind it.

    `init_transactions` has the broker end the transaction that an earlier producer left. A
    broker that starts anew while a partition has no leader yet (seen with Apache Kafka 4.3.1,
    one replica) takes the partition for deleted and calls the transaction ended without having
    told it. Such a hanging transaction (KIP-664) hides all that follows from `read_committed`
    readers, and the next commit of the same producer would publish it. Once
    `init_transactions` has returned, none of this producer's transactions may be open anywhere:
    one that is hangs, and is ended as the broker had decided.

    Args:
        client: For questions and markers.
        transactional_id: The name that is taken over.
        outputs: Topics that are written under that name.
    """

    def __init__(
        self,
        client: KafkaAdminClient,
        *,
        transactional_id: str,
        outputs: Sequence[str],
    ) -> None:
        self._client = client
        self.transactional_id = transactional_id
        self._topics = [*outputs, OFFSETS_TOPIC]
        self._warned: set[str] = set()

    def take_over(self, producer: Producer) -> None:
        """Fence every earlier producer, and end what hangs.

        Raises:
            TransportUnavailableError: A transaction hangs and this user may not end it.
        """
        last = self._last_transaction()
        producer.init_transactions()
        if last is not None:
            for hanging in self._hanging(last.producer_id):
                self._end(hanging, committed=last.state in COMMITTED)

    def _last_transaction(self) -> TransactionDescription | None:
        """The newest transaction; asked for before `init_transactions` forgets its outcome."""
        name = self.transactional_id
        try:
            return self._client.describe_transactions([name])[name]
        except errors.TransactionalIdNotFoundError:
            return None
        except CANNOT_LOOK as error:
            self._warn_once(f"the transactional id {name}", error)
            return None

    def _hanging(self, producer_id: int) -> Iterator[AbortTransactionSpec]:
        for topic in self._client.describe_topics(self._topics):
            for tp, producers in self._producers(topic).items():
                for state in producers.active_producers:
                    is_open = state.current_transaction_start_offset >= 0
                    if is_open and state.producer_id == producer_id:
                        epochs = (state.producer_epoch, state.coordinator_epoch)
                        yield AbortTransactionSpec(tp, producer_id, *epochs)

    def _producers(self, topic: Mapping[str, Any]) -> dict[TopicPartition, PartitionProducerState]:
        name = topic["name"]
        tps = [TopicPartition(name, told["partition_index"]) for told in topic["partitions"]]
        try:
            found = self._client.describe_producers(tps)
        except CANNOT_LOOK as error:
            self._warn_once(f"the topic {name}", error)
            return {}
        return dict(found)

    def _end(self, hanging: AbortTransactionSpec, *, committed: bool) -> None:
        tp = hanging.topic_partition
        place = f"{tp.topic}/{tp.partition}"
        try:
            self._client._manager.run(_write_marker, self._client, hanging, committed)
        except errors.AuthorizationError as error:
            raise TransportUnavailableError(
                f"a transaction of {self.transactional_id} hangs in {place}: the broker lost its "
                f"end ({'commit' if committed else 'abort'}), which hides all that follows from "
                "readers; grant the user the right cluster action (or alter on the cluster), or "
                "find and end it with kafka-transactions.sh"
            ) from error
        tell(
            log,
            "hanging_transaction_ended",
            transactional_id=self.transactional_id,
            place=place,
            outcome="committed" if committed else "aborted",
        )

    def _warn_once(self, what: str, error: BaseException) -> None:
        if what not in self._warned:
            self._warned.add(what)
            tell(log, "hanging_transactions_unknown", place=what, error=error)


async def _write_marker(client: Any, hanging: AbortTransactionSpec, committed: bool) -> None:
    """The library's `abort_transaction`, which knows no commit."""
    leaders = await client._async_get_leader_for_partitions([hanging.topic_partition])
    request = client._abort_transaction_request(hanging)
    request.markers[0].transaction_result = committed
    response = await client._manager.send(request, node_id=next(iter(leaders)))
    client._abort_transaction_process_response(response, hanging)
