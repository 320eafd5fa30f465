"""At least once: outputs first, positions last; ids make the repeats removable."""

from __future__ import annotations

from functools import partial

from kafka import errors

from streamssl.transport.base import FencedError, Receipt, Transaction
from streamssl.transport.kafka.commit import Committer
from streamssl.transport.kafka.failures import FATAL_ERRORS
from streamssl.transport.kafka.producer_record import ProducerRecord
from streamssl.transport.kafka.retry import backoff_s
from streamssl.transport.kafka.timeout import run_with_timeout


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
            return self._receipt_of_nothing()
        self._write_all(self._output_records(rest))
        position = self._write_all([self._journal_record(rest.journal)])
        held = self._retry_policy.retry(partial(self._commit_positions, rest), self._keep_alive)
        self._resume_returned(transaction, held)
        return self._receipt(rest.journal, position)

    def _write_all(self, records: list[ProducerRecord]) -> int:
        """Write until all are acknowledged; the position after the last one."""
        policy, pauses_s = self._retry_policy, backoff_s()
        position = -1
        while records:
            records, position = self._write_once(records)
            if records:
                policy.record_failure(errors.KafkaTimeoutError(f"{len(records)} not acknowledged"))
                self._writer.replace_producer(
                    lambda: policy.retry(self._writer.new_producer, self._keep_alive)
                )
                policy.wait(next(pauses_s), self._keep_alive)
        return position

    def _write_once(self, records: list[ProducerRecord]) -> tuple[list[ProducerRecord], int]:
        try:
            write = partial(self._writer.write_once, records)
            return run_with_timeout(write, float("inf"), self._keep_alive)
        except FATAL_ERRORS as error:
            self._retry_policy.record_or_raise(error)
            raise

    def _commit_positions(self, transaction: Transaction) -> Transaction:
        """Commit those of the partitions still held; what is held."""
        self._membership(transaction)
        held = self._still_held(transaction)
        positions = {p: part.range.stop for p, part in held.parts.items()}
        try:
            if positions:
                self._subscription.commit(positions)
        except errors.FencedInstanceIdError as error:
            raise FencedError(self._replaced_by_another("it joined the group")) from error
        return held
