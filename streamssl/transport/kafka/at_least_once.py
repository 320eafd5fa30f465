"""At least once: outputs first, positions last; ids make the repeats removable."""

from __future__ import annotations

from functools import partial

from kafka import errors

from streamssl.transport.base import FencedError, Receipt, Transaction
from streamssl.transport.kafka.clients.base import Addressed
from streamssl.transport.kafka.commit import Committer
from streamssl.transport.kafka.patience import FIRST_PAUSE_S, HOPELESS, LONGEST_PAUSE_S, bounded


class AtLeastOnce(Committer):
    """Outputs and the journal record first, positions last: nothing lost, repeats possible.

    A crash between the two repeats at most what was taken since the last commit, that is one
    commit interval. Earlier processes of the instance are not fenced.
    """

    def commit(self, transaction: Transaction) -> Receipt:
        """Write what is still held until all of it is acknowledged.

        1. Drop the ranges that are not ours any more.
        2. Send the outputs; send again what was not acknowledged.
        3. When all of them stand, send the journal record in the same way.
        4. Commit the positions of the partitions that are still held.

        Raises:
            FencedError: Another process has joined the group as this instance.
            RecordTooLargeError: The broker would never take one of the records.
            StoppedError: The process shall end and the broker does not answer.
            TransportUnavailableError: Waiting cannot mend it.
        """
        self._membership(transaction)
        rest = self._still_held(transaction)
        if transaction.parts and not rest.parts:
            return self._nothing()
        self._send_all(self._addressed(rest))
        position = self._send_all([self._journalled(rest.journal)])
        held = self._patience.retry(partial(self._commit_positions, rest), self._keep_turning)
        self._go_on(transaction, held)
        return self._landed(rest.journal, position)

    def _send_all(self, records: list[Addressed]) -> int:
        position, pause_s = -1, FIRST_PAUSE_S
        while records:
            records, position = self._send_once(records)
            if records:
                self._patience.note(errors.KafkaTimeoutError(f"{len(records)} not acknowledged"))
                self._outbox.drop()
                self._outbox.use(self._patience.retry(self._outbox.build, self._keep_turning))
                self._patience.pause(pause_s, self._keep_turning)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return position

    def _send_once(self, records: list[Addressed]) -> tuple[list[Addressed], int]:
        try:
            send = partial(self._outbox.send_once, records)
            return bounded(send, float("inf"), self._keep_turning)
        except HOPELESS as error:
            self._patience.endure(error)
            raise

    def _commit_positions(self, transaction: Transaction) -> Transaction:
        """Commit those of the partitions still held; what is held."""
        self._membership(transaction)
        held = self._still_held(transaction)
        positions = {p: part.range.stop for p, part in held.parts.items()}
        try:
            if positions:
                self._source.commit(positions)
        except errors.FencedInstanceIdError as error:
            raise FencedError(self._replaced("it joined the group")) from error
        return held
