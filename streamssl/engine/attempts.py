"""A message that kills the process must not kill it for ever.

While the first transaction after a start is decoded and scored, a small file says so. Where two
starts have died there, one after the other, the next goes on carefully through what they had
taken: one message a transaction, each marked in the file before it is looked at. After three
deaths at one mark the message is poison.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from streamssl.events import Slice

STARTS_BEFORE_CARE = 2
MAX_DEATHS = 3


class _Mark(msgspec.Struct, frozen=True):
    """What a process was about to do.

    Attributes:
        seq: Transaction that it went on from.
        num_messages: Messages taken since, or still to be looked at with care.
        deaths: Processes that died here.
        partition: Of the one message that was looked at with care, else -1.
        offset: Likewise.
    """

    seq: int
    num_messages: int
    deaths: int
    partition: int = -1
    offset: int = -1


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
        self.careful = self._found.partition >= 0 or self._found.deaths >= STARTS_BEFORE_CARE
        self._num_taken = 0
        self._first = True

    def taken(self, seq: int, num_messages: int) -> None:
        """Note that messages are about to be looked at in the transaction after `seq`."""
        if self._first and not self.careful:
            self._num_taken += num_messages
            self._write(_Mark(seq, self._num_taken, self._found.deaths + 1))

    def is_poison(self, seq: int, piece: Slice) -> bool:
        """Whether the process died three times at this very message.

        While care is taken, the slice is a single message, which is marked.
        """
        if not self.careful:
            return False
        found, deaths = self._found, 0
        if (found.partition, found.offset) == (piece.partition, piece.start):
            deaths = found.deaths
        if deaths >= MAX_DEATHS:
            return True
        # Counted before the attempt: if the process lives, the next mark takes its place.
        self._write(_Mark(seq, self._left, deaths + 1, piece.partition, piece.start))
        return False

    def survived(self, seq: int, num_messages: int) -> None:
        """Note that a transaction was scored and encoded: its messages are harmless.

        Before the commit: a process that is killed while it waits for the broker, however
        often, must not make a message look like poison.
        """
        self._left -= num_messages
        if self.careful and self._left > 0:
            self._write(_Mark(seq, self._left, STARTS_BEFORE_CARE))
        elif self.careful or self._first:
            self.careful = self._first = False
            self.clear()

    def clear(self) -> None:
        """Forget everything: the region is passed, or the process stops as planned."""
        self._path.unlink(missing_ok=True)

    def _read(self) -> _Mark | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Mark)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _write(self, mark: _Mark) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # In place: a torn file reads as no mark, which costs more deaths, no message.
        with self._path.open("wb") as file:
            file.write(msgspec.json.encode(mark))
            file.flush()
            os.fsync(file.fileno())
