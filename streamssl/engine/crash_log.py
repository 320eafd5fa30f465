"""The crash log: a message that kills the process must not kill it for ever.

While the first transactions after a start are decoded and scored, a small file says which messages
they hold, by partition and offset. Where two processes have died there, one after the other, the
next looks at each message of that region alone, in a transaction of its own, and names it in the
file before. A message that was alone when the process died, three times, is poison: from the
first of them where it is alone in its transaction anyway, else after the two deaths that led to
care. The region is known by offsets, not by numbers: polls cut the stream anew in each process.

Only a process that vanishes (a kill, a segmentation fault, the OOM killer) counts. An exception
ends it too, but with an error that says what is wrong, and mostly that is not the message's
fault: a device or memory that fails must not set healthy messages aside.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from streamssl.data.events import Slice
from streamssl.engine.slices import messages_of
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

STARTS_BEFORE_CARE = 2
MAX_DEATHS = 3
# Whatever killed the process before lies in the first transactions of the next: they are cut
# differently, but begin at the same positions.
WATCHED = 16


class _Mark(msgspec.Struct, frozen=True):
    """What a process was about to do.

    Attributes:
        starts: Processes that died, one after the other, in the region.
        stops: The region: per partition the position after what was looked at.
        partition: Of the message that was looked at alone, else -1.
        offset: Of that message, else -1.
        deaths: Processes that died while they looked at that message alone.
    """

    starts: int = 0
    stops: dict[int, int] = {}
    partition: int = -1
    offset: int = -1
    deaths: int = 0


class CrashLog:
    """Remembers, from one process to the next, at which messages processes died after a start.

    Args:
        path: The file, in the state directory; None remembers nothing and suspects nobody.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        # What the file shall say while nothing is looked at.
        self._standing = self._read()
        self._mark: _Mark | None = None
        self._num_taken = 0
        self._watched = WATCHED if path else 0

    @property
    def undecided(self) -> bool:
        """Whether what is looked at now may still turn out to kill the process."""
        return bool(self._watched or self._mark or self._standing.stops)

    def suspects(self, piece: Slice) -> bool:
        """Whether the slice's first message must be looked at alone."""
        region = self._standing.stops if self._standing.starts >= STARTS_BEFORE_CARE else {}
        return piece.start < region.get(piece.partition, 0)

    def begin(self, piece: Slice) -> None:
        """Note that a slice is about to be looked at, with what the transaction has already."""
        if not (self._watched or self.suspects(piece)):
            return
        mark = self._mark or msgspec.structs.replace(
            self._standing, starts=self._standing.starts + 1
        )
        stop = max(piece.stop, mark.stops.get(piece.partition, 0))
        stops = {**mark.stops, piece.partition: stop}
        before = self._standing
        look = {"partition": before.partition, "offset": before.offset, "deaths": before.deaths}
        self._num_taken += len(piece.payload)
        self._note(msgspec.structs.replace(mark, stops=stops, **look))

    def poison_in(self, piece: Slice) -> frozenset[int]:
        """Offset of the slice's message where the process died at it, alone, three times.

        Counted before the attempt: if the process lives, the next mark takes its place.
        """
        messages = messages_of(piece)
        if self._mark is None or self._num_taken != 1 or len(messages) != 1:
            return frozenset()
        before, offset, deaths = self._standing, messages[0].offset, 0
        if (before.partition, before.offset) == (piece.partition, offset):
            deaths = before.deaths
        if deaths >= MAX_DEATHS:
            return frozenset({offset})
        look = {"partition": piece.partition, "offset": offset, "deaths": deaths + 1}
        self._note(msgspec.structs.replace(self._mark, **look))
        return frozenset()

    def processed(self, reached: Mapping[int, int]) -> None:
        """Note that a transaction was scored and encoded: its messages are harmless.

        Before the commit: a process that is killed while it waits for the broker, however
        often, must not make a message look like poison.

        Args:
            reached: Per partition, the position after the transaction's messages.
        """
        self._watched = max(0, self._watched - 1)
        if self._mark is None:
            return
        before = self._standing
        left = {p: stop for p, stop in before.stops.items() if reached.get(p, 0) < stop}
        self._standing = _Mark(before.starts, left) if left else _Mark()
        if left and reached.get(before.partition, 0) <= before.offset:
            self._standing = msgspec.structs.replace(before, stops=left)
        self._settle()

    def dismiss(self) -> None:
        """Count no death at what is looked at: the process ends with an exception."""
        if self._mark is not None:
            self._settle()

    def clear(self) -> None:
        """Forget everything: the region is passed, or the process stops as planned."""
        if self._path is None:
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            self._cannot(error)

    def _settle(self) -> None:
        self._mark, self._num_taken = None, 0
        if self._standing.starts:
            self._write(self._standing)
        else:
            self.clear()

    def _note(self, mark: _Mark) -> None:
        self._mark = mark
        self._write(mark)

    def _read(self) -> _Mark:
        if self._path is None:
            return _Mark()
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Mark)
        except (OSError, msgspec.MsgspecError):
            return _Mark()

    def _write(self, mark: _Mark) -> None:
        if self._path is None:
            return
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
        tell(log, "attempts_unwritable", path=self._path, error=error.strerror)
