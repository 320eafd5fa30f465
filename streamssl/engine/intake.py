"""From polls to drafts: every message once, in order, of partitions that are held.

A partition that comes to this instance, for the first time or again, brings the question
whether the per-key state held of it is still true; the intake answers it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from streamssl.data.events import Slice
from streamssl.engine.draft import Draft
from streamssl.engine.positions import Positions
from streamssl.engine.slices import cut
from streamssl.transport.base import Transport


@dataclass
class Intake:
    """Slices of partitions held, cut where the engine needs them to end.

    Attributes:
        tail_events: Input messages that per-key state is rebuilt from.
        clock: Seconds that only grow.
        stash: Slices taken from the transport and not used yet.
        polled_s: When what was taken last, the stash included, was polled.
        offsets: Next offset of each partition, by what was taken.
    """

    transport: Transport
    positions: Positions
    tail_events: int
    clock: Callable[[], float]
    stash: list[Slice] = field(default_factory=list)
    polled_s: float = 0.0
    offsets: dict[int, int] = field(default_factory=dict)
    _incarnations: dict[int, int] = field(default_factory=dict)

    def take(self, max_messages: int, timeout_s: float) -> list[Slice]:
        """The stash, or else a poll; only of partitions that are still held."""
        pieces, self.stash = self.stash, []
        if not pieces:
            pieces = self.transport.poll(max_messages, timeout_s)
            self.polled_s = self.clock()
        held = self.transport.assignment()
        return [piece for piece in pieces if held.get(piece.partition) == piece.incarnation]

    def lag(self) -> dict[int, int]:
        """Messages not yet processed, per partition held: in the topic and in the stash."""
        lags = dict(self.transport.lag())
        for piece in self.stash:
            if piece.partition in lags:
                lags[piece.partition] += piece.stop - piece.start
        return lags

    def fits(self, piece: Slice, draft: Draft) -> bool:
        """Whether a slice may join a draft, or follow it while its outcome is open.

        One transaction knows one incarnation, and whether the state held of a partition is that
        of the next one is not known before.
        """
        part = draft.parts.get(piece.partition)
        return part is None or part.incarnation == piece.incarnation

    def arrived(self, piece: Slice) -> bool:
        """Whether the slice is the first of a new incarnation."""
        return self._incarnations.get(piece.partition) != piece.incarnation

    def tail(self, piece: Slice) -> tuple[int, int] | None:
        """Input from which a newly arrived partition's state is rebuilt.

        The state is kept where nobody went further than our own journal, or nothing was ever
        committed; an empty tail means that it is dropped and nothing remains to rebuild from.
        """
        partition = piece.partition
        self._incarnations[partition] = piece.incarnation
        committed = self.transport.committed(partition)
        held_to = self.positions.stops.get(partition)
        if committed is None or committed == held_to:
            first = piece.missed[0] if piece.missed else piece.start
            self.offsets[partition] = first if held_to is None else held_to
            return None
        self.offsets[partition] = committed
        oldest = max(self.transport.beginning(partition), committed - self.tail_events, 0)
        return min(oldest, committed), committed

    def next(self, piece: Slice) -> tuple[Slice, tuple[int, int] | None]:
        """What of a slice was not taken before, and the range before it that is missing."""
        expected = self.offsets[piece.partition]
        # Not `piece.missed`: of two losses with no message between it tells the second only.
        missed = (expected, piece.start)
        fresh = cut(piece, expected)[1] if piece.start < expected else piece
        return replace(fresh, missed=None), missed if missed[0] < missed[1] else None

    def put_back(self, piece: Slice, offset: int) -> None:
        """The slice was used below `offset`: stash the rest."""
        self.offsets[piece.partition] = offset
        rest = cut(piece, offset)[1]
        if rest.start < rest.stop:
            self.stash.append(rest)

    def forget(self, partition: int) -> None:
        """The partition's last messages were not committed: its position is unknown."""
        self._incarnations.pop(partition, None)
        self.offsets.pop(partition, None)
