"""What librdkafka tells once, remembered until it is dealt with."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError
from confluent_kafka import Message as Record
from kafka import errors

from streamssl.transport.kafka.clients.base import NoPositionError, OutOfRangeError
from streamssl.transport.kafka.clients.librdkafka.errors import translated
from streamssl.transport.kafka.unreadable import (
    TopicUnreadableError,
    codec_unknown,
    damaged,
    named,
    truncated,
)

DAMAGED = (KafkaError._BAD_MSG, KafkaError.INVALID_MSG)
UNPACKABLE = (KafkaError._BAD_COMPRESSION, KafkaError._NOT_IMPLEMENTED)


class Troubles:
    """Errors that came among the records of one consumer.

    Args:
        position: Position after everything that was given of a partition, None before.
        committed: The group's committed position, None if it never committed.

    Attributes:
        stuck: Position of each partition that does not go on by itself, None where it has none.
    """

    def __init__(
        self, *, position: Callable[[int], int | None], committed: Callable[[int], int | None]
    ) -> None:
        self._position = position
        self._committed = committed
        self._told = False
        self._passing: list[errors.KafkaError] = []
        self._final: BaseException | None = None
        self.stuck: dict[int, int | None] = {}

    def note(self, record: Record) -> None:
        """Remember what came in place of a record."""
        error, partition, offset = record.error(), record.partition(), record.offset()
        assert error is not None, "a record is no trouble"
        where = named(
            record.topic() or "", partition, "an unknown offset" if offset is None else offset
        )
        code = error.code()
        if code == KafkaError._AUTO_OFFSET_RESET and partition is not None:
            self._note_stuck(partition, offset, where, error)
        elif code in DAMAGED:
            self.end(TopicUnreadableError(damaged(where, error.str())))
        elif code in UNPACKABLE:
            self.end(TopicUnreadableError(codec_unknown(where, error.str())))
        elif code == KafkaError._FATAL:
            self.end(_fatal(error))
        else:
            self._passing.append(translated(error))

    def note_error(self, error: KafkaError) -> None:
        """The library's callback for what concerns the whole client."""
        if error.fatal() or error.code() == KafkaError._AUTHENTICATION:
            self.end(translated(error))

    def end(self, error: BaseException) -> None:
        """From now on every poll fails as this one did."""
        self._final = self._final or error

    def forget(self, partition: int) -> None:
        """It was told where to go on, or left."""
        self.stuck.pop(partition, None)

    def tell(self) -> None:
        """Raise what is to be dealt with; once each, but what ends the process always.

        Raises:
            NoPositionError: Partitions of which the group has no position.
            OutOfRangeError: Partitions whose positions are not kept.
            TopicUnreadableError: Records that no waiting makes readable.
            KafkaError: Anything else.
        """
        if self._final is not None:
            raise self._final
        if self._passing:
            raise self._passing.pop(0)
        if self.stuck and not self._told:
            self._told = True
            self._tell_stuck()

    def take_told(self) -> dict[int, int | None]:
        """Partitions that nobody told where to go on since: to be begun as they were."""
        if not self._told:
            return {}
        self._told, told, self.stuck = False, self.stuck, {}
        return told

    def _note_stuck(
        self, partition: int, offset: int | None, where: str, error: KafkaError
    ) -> None:
        had_begun = offset is None and self._position(partition) is not None
        if had_begun or "log truncation" in error.str():
            self.end(TopicUnreadableError(truncated(where)))
        else:
            self.stuck[partition] = offset

    def _tell_stuck(self) -> None:
        fresh = [p for p, at in self.stuck.items() if at is None and self._committed(p) is None]
        if fresh:
            raise NoPositionError(fresh)
        gone = {p: at for p, at in self.stuck.items() if at is not None}
        if gone:
            raise OutOfRangeError(gone)


def _fatal(error: KafkaError) -> errors.KafkaError:
    """What ended the client: its own code says only that something did, its text which."""
    fenced = KafkaError(KafkaError.FENCED_INSTANCE_ID)
    return translated(fenced if fenced.str() in error.str() else error)
