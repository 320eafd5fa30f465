"""Results, journal record and positions land together; what was not ours any more is forgotten."""

from __future__ import annotations

from streamssl.engine.pending import PendingTransaction
from streamssl.engine.ports import Ports
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import give_up
from streamssl.engine.spaces import (
    announcements,
    begun_space,
    new_drifts,
    new_space,
    opening_of,
)
from streamssl.transport.base import PartitionOutput, Transaction
from streamssl.transport.journal import JournalRecord


class Publisher:
    """Commits transactions: what lands moves the positions, what was lost gives up its state.

    Args:
        ports: The transport that takes them, the learner that scored them.
        positions: Move with every transaction that lands.
        instance: Ordinal of this instance.
        environment: Hash of configuration, build and thread count.
    """

    def __init__(
        self, *, ports: Ports, positions: Positions, instance: int, environment: str
    ) -> None:
        self._transport, self._host = ports.transport, ports.host
        self._reporter, self._watch, self._clock = ports.reporter, ports.watch, ports.clock
        self._positions = positions
        self._instance = instance
        self._environment = environment

    def commit(
        self, pending: PendingTransaction, outputs: dict[int, PartitionOutput], *, state_crc32c: int
    ) -> None:
        """Publish, journal and move positions at once; forget what was not ours any more.

        Args:
            pending: What was taken.
            outputs: What is published of it.
            state_crc32c: CRC of the state that scored it.
        """
        began_s, previous = self._clock(), self._positions.space
        with self._reporter.stage("journal"):
            record = self._record(pending, outputs, state_crc32c)
            transaction = Transaction(record, outputs, announcements(record, previous))
        with self._reporter.stage("publish"):
            receipt = self._transport.commit(transaction)
        if receipt.kept:
            landed = transaction.without(transaction.parts.keys() - receipt.kept)
            self._positions.landed(landed.journal, receipt.journal_position)
            self._reporter.space_began(begun_space(landed.journal, previous), record.epoch)
            self._reporter.committed(pending, landed, began_s)
            self._watch.landed(pending, landed)
        else:
            self._reporter.commit_failed()
        for partition in sorted(outputs.keys() - receipt.kept):
            self._give_up(partition, outputs[partition])

    def _give_up(self, partition: int, output: PartitionOutput) -> None:
        """A partition has left: what was scored of it goes, with all that was scored after it.

        A transaction that was taken in before this was known does the same again when its turn
        comes; no newer incarnation has been taken in by then (`PendingTransaction.accepts`).
        """
        give_up(self._host, partition, output.range.start)
        self._positions.drop(self._host.epoch, partition)

    def _record(
        self, pending: PendingTransaction, outputs: dict[int, PartitionOutput], state_crc32c: int
    ) -> JournalRecord:
        positions = self._positions
        schema = None if positions.schema_is_journalled else positions.schema
        space = new_space(outputs, positions.space)
        ranges = {p: output.range for p, output in outputs.items()}
        return JournalRecord(
            instance=self._instance,
            seq=positions.seq + 1,
            epoch=self._host.epoch,
            ranges={p: (r.start, r.stop, r.num_messages, r.crc32c) for p, r in ranges.items()},
            tails=dict(pending.tails),
            dropped=list(positions.dropped),
            dead_letters=pending.journalled_dead_letters(),
            closed=dict(positions.closed),
            fields=None if schema is None else list(schema.fields),
            texts=[] if schema is None else list(schema.texts),
            space=space,
            opening=opening_of(outputs, space),
            drifts=new_drifts(outputs, positions.drifted),
            state_crc32c=state_crc32c,
            environment=self._environment,
            topic=self._transport.topic,
            changes=list(positions.changes),
        )
