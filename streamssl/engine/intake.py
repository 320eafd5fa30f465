"""From polls to transactions: every message once, in order, of partitions that are held.

A partition that comes to this instance, for the first time or again, brings the question
whether the per-key state held of it is still true; the intake answers it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from streamssl.data.events import Slice
from streamssl.engine.positions import Positions
from streamssl.engine.slices import head, offset_after, rest
from streamssl.transport.base import Transport


class AdmittedSlice(NamedTuple):
    """What of a slice may join a transaction.

    Attributes:
        fresh: The slice without what was taken before.
        head: As many of its messages as there is room for.
        tail: Input that the partition's per-key state must be rebuilt from first (an empty range:
            dropped only); None where the state that is held is true.
        missed: Input before it that expired unread, None where none did.
    """

    fresh: Slice
    head: Slice
    tail: tuple[int, int] | None
    missed: tuple[int, int] | None


@dataclass
class Intake:
    """Slices of partitions held, cut where the engine needs them to end.

    Attributes:
        tail_events: Input messages that per-key state is rebuilt from.
        clock: Seconds that only grow.
        stash: Slices taken from the transport and not used yet.
        polled_s: When what was taken last, the stash included, was polled.
    """

    transport: Transport
    positions: Positions
    tail_events: int
    clock: Callable[[], float]
    stash: list[Slice] = field(default_factory=list)
    polled_s: float = 0.0
    # partition -> (incarnation, offset after what was taken); an incarnation never comes again.
    _reached: dict[int, tuple[int, int]] = field(default_factory=dict)

    def take(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """The stash, or else a poll; only of partitions that are still held."""
        pieces, self.stash = self.stash, []
        if not pieces:
            pieces = self.transport.poll(max_messages, timeout_s)
            self.polled_s = self.clock()
        return self._held(pieces)

    def hold(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """Poll into the stash; all of it, as far as its partitions are still held."""
        pieces = self.transport.poll(max_messages, timeout_s) if max_messages else []
        if not self.stash:
            self.polled_s = self.clock()
        self.stash = self._held(self.stash + pieces)
        return self.stash

    def _held(self, pieces: list[Slice]) -> list[Slice]:
        held = self.transport.assignment()
        return [piece for piece in pieces if held.get(piece.partition) == piece.incarnation]

    def lag(self) -> dict[int, int]:
        """Messages not yet processed, per partition held: in the topic and in the stash."""
        lags = dict(self.transport.lag())
        for piece in self.stash:
            if piece.partition in lags:
                lags[piece.partition] += piece.stop - piece.start
        return lags

    def offer(self, piece: Slice, room: int) -> AdmittedSlice | None:
        """What of a slice may join a transaction that has room for so many messages.

        Nothing counts as taken before `taken` says so: of a partition that arrives with nothing
        new, whether its state is true is asked again at its first new message.

        Returns:
            None where the slice has to wait (no room: it is stashed) or has nothing new.
        """
        if room == 0:
            self.stash.append(piece)
            return None
        incarnation, offset = self._reached.get(piece.partition, (None, 0))
        tail = None
        if incarnation != piece.incarnation:
            offset, tail = self._arrived(piece)
        # Not `piece.missed`: of two losses with no message between it tells the second only.
        missed = (offset, piece.start) if offset < piece.start else None
        fresh = rest(piece, offset)
        if missed is None and fresh.start == fresh.stop:
            return None
        return AdmittedSlice(fresh, head(fresh, offset_after(fresh, room)), tail, missed)

    def taken(self, admitted: AdmittedSlice, stop: int) -> None:
        """What was admitted is in a transaction up to the offset `stop`; what is left waits."""
        fresh = admitted.fresh
        self._reached[fresh.partition] = fresh.incarnation, stop
        if stop < fresh.stop:
            self.stash.append(rest(fresh, stop))

    def _arrived(self, piece: Slice) -> tuple[int, tuple[int, int] | None]:
        """The first offset that a newly arrived partition owes, and the tail of its state.

        The state is kept where nobody went further than our own journal, or nothing was ever
        committed.
        """
        committed = self.transport.committed(piece.partition)
        held_to = self.positions.stops.get(piece.partition)
        if committed is None or committed == held_to:
            first = piece.missed[0] if piece.missed else piece.start
            return first if held_to is None else held_to, None
        oldest = max(self.transport.beginning(piece.partition), committed - self.tail_events, 0)
        return committed, (min(oldest, committed), committed)
