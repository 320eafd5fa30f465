"""A message that kills the process must not kill it for ever.

While the first transaction after a start is decoded and scored, a small file says so. Where two
starts have died there, one after the other, the next goes on carefully through what they had
taken: one message a transaction, each named in the file before it is looked at. A message that
was alone when the process died, three times, is poison: from the first of them where it is alone
in its transaction anyway, else after the two deaths that led to care.

Only a process that vanishes (a kill, a segmentation fault, the OOM killer) counts. An exception
ends it too, but with an error that says what is wrong, and mostly that is not the message's
fault: a device or memory that fails must not set healthy messages aside.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from streamssl.engine.slices import messages_of
from streamssl.events import Slice

log = logging.getLogger(__name__)

STARTS_BEFORE_CARE = 2
MAX_DEATHS = 3


class _Mark(msgspec.Struct, frozen=True):
    """What a process was about to do.

    Attributes:
        seq: Transaction that it went on from.
        num_messages: Messages taken since, or still to be looked at with care.
        starts: Processes that died among them.
        partition: Of the message that was looked at alone, else -1.
        offset: Likewise.
        deaths: Processes that died while they looked at that message alone.
    """

    seq: int
    num_messages: int
    starts: int
    partition: int = -1
    offset: int = -1
    deaths: int = 0


class Attempts:
    """Counts the deaths at the messages that follow a start.

    Args:
        path: The file, in the state directory.
        seq: Number of the last journalled transaction: what this start goes on from.

    Attributes:
        careful: True while messages are taken one by one.
    """

    def __init__(self, path: Path, *, seq: int) -> None:
        self._path = path
        found = self._read()
        self._found = found if found and found.seq == seq else _Mark(seq, 0, 0)
        self._left = self._found.num_messages
        self.careful = self._found.starts >= STARTS_BEFORE_CARE
        self._num_taken = 0
        self._first = True
        # What the file shall say if this process does not vanish, but ends with an exception.
        self._excused: _Mark | None = None

    @property
    def undecided(self) -> bool:
        """Whether the messages that follow the start may still turn out to kill the process."""
        return self.careful or self._first

    def taken(self, seq: int, num_messages: int) -> None:
        """Note that messages are about to be looked at in the transaction after `seq`."""
        if self._first and not self.careful:
            self._num_taken += num_messages
            self._excused, starts = self._found, self._found.starts + 1
            region = msgspec.structs.replace(self._found, seq=seq, num_messages=self._num_taken)
            self._write(msgspec.structs.replace(region, starts=starts))

    def poison_in(self, seq: int, piece: Slice) -> frozenset[int]:
        """Offset of the slice's message where the process died at it, alone, three times.

        Counted before the attempt: if the process lives, the next mark takes its place.
        """
        messages = messages_of(piece)
        alone = self.careful or (self._first and self._num_taken == 1)
        if not alone or len(messages) != 1:
            return frozenset()
        found, offset, deaths = self._found, messages[0].offset, 0
        if (found.partition, found.offset) == (piece.partition, offset):
            deaths = found.deaths
        if deaths >= MAX_DEATHS:
            return frozenset({offset})
        self._look(_Mark(seq, *self._region(), piece.partition, offset, deaths))
        return frozenset()

    def survived(self, seq: int, num_messages: int) -> None:
        """Note that a transaction was scored and encoded: its messages are harmless.

        Before the commit: a process that is killed while it waits for the broker, however
        often, must not make a message look like poison.
        """
        self._left -= num_messages
        self._excused = None
        if self.careful and self._left > 0:
            self._write(_Mark(seq, self._left, STARTS_BEFORE_CARE))
        elif self.careful or self._first:
            self.careful = self._first = False
            self.clear()

    def excuse(self) -> None:
        """The process ends with an exception: what it was at does not count as a death."""
        if self._excused is None:
            return
        if self._excused.starts:
            self._write(self._excused)
        else:
            self.clear()

    def clear(self) -> None:
        """Forget everything: the region is passed, or the process stops as planned."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            self._cannot(error)

    def _region(self) -> tuple[int, int]:
        if self.careful:
            return self._left, STARTS_BEFORE_CARE
        return self._num_taken, self._found.starts + 1

    def _look(self, before: _Mark) -> None:
        if self.careful:
            self._excused = before
        self._write(msgspec.structs.replace(before, deaths=before.deaths + 1))

    def _read(self) -> _Mark | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Mark)
        except (OSError, msgspec.MsgspecError):
            return None

    def _write(self, mark: _Mark) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # In place: a torn file reads as no mark, which costs more deaths, no message.
            with self._path.open("wb") as file:
                file.write(msgspec.json.encode(mark))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            self._cannot(error)

    def _cannot(self, error: OSError) -> None:
        # Without the file a message that kills is found later, or not: no reason to stand still.
        log.warning("cannot note in %s what is tried: %s", self._path, error.strerror)
