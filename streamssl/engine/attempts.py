"""A message that kills the process must not kill it for ever.

While the first transaction after a start is in the making, a small file says so. A start that
finds it, with the journal no further than it says, knows that its predecessor died there: it
goes on carefully, one message a transaction, and marks each message in the file before it is
looked at. After three deaths at one mark the message is poison.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from streamssl.events import Slice

MAX_DEATHS = 3


class _Mark(msgspec.Struct, frozen=True):
    seq: int
    partition: int = -1
    offset: int = -1
    deaths: int = 0


class Attempts:
    """Counts the deaths at the messages that follow a start.

    Args:
        path: The file, in the state directory.
        seq: Number of the last journalled transaction: what this start goes on from.
        careful_for: Messages after which the dangerous region has been passed.

    Attributes:
        careful: True while messages are taken one by one.
    """

    def __init__(self, path: Path, *, seq: int, careful_for: int) -> None:
        self._path = path
        self._left = careful_for
        self._found = self._read()
        self.careful = self._found is not None and self._found.seq == seq
        self._first = self._armed = True

    def arm(self, seq: int) -> None:
        """Note that input is about to be looked at in the transaction after `seq`."""
        if self._first and not self.careful:
            self._write(_Mark(seq))
        self._first = False

    def is_poison(self, seq: int, piece: Slice) -> bool:
        """Whether the process died three times at this very message.

        While care is taken, the slice is a single message, which is marked.
        """
        if not self.careful:
            return False
        found, deaths = self._found, 0
        if found and (found.partition, found.offset) == (piece.partition, piece.start):
            deaths = found.deaths
        if deaths >= MAX_DEATHS:
            return True
        # Counted before the attempt: if the process lives, the next mark takes its place.
        self._write(_Mark(seq, piece.partition, piece.start, deaths + 1))
        return False

    def end(self, num_messages: int) -> None:
        """Note that a transaction has been committed: its messages are harmless."""
        if self.careful:
            self._left -= num_messages
            self.careful = self._left > 0
        if not self.careful and self._armed:
            self.clear()

    def clear(self) -> None:
        """Forget everything: a transaction was committed, or the process stops as planned."""
        self._armed = False
        self._path.unlink(missing_ok=True)

    def _read(self) -> _Mark | None:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Mark)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _write(self, mark: _Mark) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # In place: a torn file reads as no mark, which costs one more death, no message.
        with self._path.open("wb") as file:
            file.write(msgspec.json.encode(mark))
            file.flush()
            os.fsync(file.fileno())
