"""Results, journal record and positions land together; what was not ours any more is forgotten."""

from __future__ import annotations

from collections.abc import Callable

from streamssl.engine.draft import Draft
from streamssl.engine.intake import Intake
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import give_up
from streamssl.engine.spaces import announce, new_space
from streamssl.engine.watch import Watch
from streamssl.host import Learner
from streamssl.transport.base import PartitionOutput, Transaction, Transport
from streamssl.transport.journal import JournalRecord


class Publisher:
    """Commits transactions.

    Args:
        instance: Ordinal of this instance.
        environment: Hash of configuration, build and thread count.
        transport: Takes transactions.
        learner: Whose state scored them.
        positions: Move with every transaction that lands.
        intake: Told of partitions that were lost.
        watch: Told what landed.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        instance: int,
        environment: str,
        transport: Transport,
        learner: Learner,
        positions: Positions,
        intake: Intake,
        watch: Watch,
        clock: Callable[[], float],
    ) -> None:
        self._instance = instance
        self._environment = environment
        self._transport = transport
        self._learner = learner
        self._positions = positions
        self._intake = intake
        self._watch = watch
        self._clock = clock

    def commit(
        self, draft: Draft, outputs: dict[int, PartitionOutput], *, state_crc32c: int
    ) -> None:
        """Publish, journal and move positions at once; forget what was not ours any more.

        Args:
            draft: What was taken.
            outputs: What is published of it.
            state_crc32c: CRC of the state that scored it.
        """
        began_s = self._clock()
        with self._watch.stage("journal"):
            record = self._record(draft, outputs, state_crc32c)
            transaction = Transaction(record, announce(outputs, record, self._positions.space))
        with self._watch.stage("publish"):
            receipt = self._transport.commit(transaction)
        if receipt.kept:
            landed = transaction.without(transaction.parts.keys() - receipt.kept)
            self._positions.landed(landed.journal, receipt.journal_position)
            self._watch.committed(draft, landed.parts, began_s)
        else:
            self._watch.not_ours()
        for partition in sorted(outputs.keys() - receipt.kept):
            self._give_up(partition, outputs[partition])

    def _give_up(self, partition: int, output: PartitionOutput) -> None:
        """A partition has left: what was scored of it goes, with all that was scored after it.

        A transaction that was taken in before this was known does the same again when its turn
        comes; no newer incarnation has been taken in by then (`Intake.fits`).
        """
        give_up(self._learner, partition, output.range.start)
        self._positions.drop(self._learner.epoch, partition)
        self._intake.forget(partition)

    def _record(
        self, draft: Draft, outputs: dict[int, PartitionOutput], state_crc32c: int
    ) -> JournalRecord:
        positions = self._positions
        schema = None if positions.schema_is_journalled else positions.schema
        ranges = {p: output.range for p, output in outputs.items()}
        return JournalRecord(
            instance=self._instance,
            seq=positions.seq + 1,
            epoch=self._learner.epoch,
            ranges={p: (r.start, r.stop, r.num_messages, r.crc32c) for p, r in ranges.items()},
            tails=dict(draft.tails),
            dropped=list(positions.dropped),
            dead_letters=draft.journalled_dead_letters(),
            closed=dict(positions.closed),
            fields=None if schema is None else list(schema.fields),
            texts=[] if schema is None else list(schema.texts),
            space=new_space(outputs, positions.space),
            state_crc32c=state_crc32c,
            environment=self._environment,
            changes=list(positions.changes),
        )
