"""The first input is held back until the stream's columns are decided.

They are decided once, by the first epoch's events of all partitions held: as many as an epoch
takes, or those that came while it would have waited for more. Nothing is scored before, and
nothing is committed: who dies meanwhile leaves no trace. What was decided, the first record of the
journal says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from streamssl.codecs.base import Sample
from streamssl.data.channels import FIRST_EVENTS
from streamssl.data.events import Slice
from streamssl.engine.crash_log import CrashLog
from streamssl.engine.epochs import IDLE_POLL_S
from streamssl.engine.intake import Intake
from streamssl.engine.ports import Ports
from streamssl.engine.positions import Positions
from streamssl.engine.slices import messages_of, one_by_one, rest

# Messages held at most: of input that says nothing about columns there may be much.
MAX_HELD = 2_048


@dataclass
class FirstEpoch:
    """Looks at the input that is held, and decides the columns by it.

    Attributes:
        max_wait_s: Longest time to wait for a whole epoch; None waits for the input's end.
    """

    ports: Ports
    positions: Positions
    intake: Intake
    crash_log: CrashLog
    max_wait_s: float | None
    _samples: dict[tuple[int, int], list[Sample]] = field(default_factory=dict)
    _looked: dict[tuple[int, int], int] = field(default_factory=dict)
    _began_s: float | None = None

    def settled(self) -> bool:
        """Whether what is held may go on: its columns are known, or it has none.

        Polls once where it has to wait, and returns soon.
        """
        if self.positions.schema is not None:
            return True
        named = self.ports.codec.decoder.named
        if named is not None:
            self.positions.decide(named)
            return True
        self._look()
        if not self._is_over():
            return False
        samples = [sample for _, held in sorted(self._samples.items()) for sample in held]
        choice = self.ports.codec.decoder.choose(samples)
        if choice.schema is not None:
            self.positions.decide(choice.schema)
            self.ports.watch.chose(choice)
        return bool(self.intake.stash)

    def _look(self) -> None:
        """Take in more input, and look at what is new."""
        if not self.intake.stash:
            self._samples, self._looked, self._began_s = {}, {}, None
        held = self.intake.hold(self._room(), IDLE_POLL_S)
        if held and self._began_s is None:
            self._began_s = self.ports.clock()
        kept = {(piece.partition, piece.incarnation) for piece in held}
        self._samples = {place: self._samples.get(place, []) for place in sorted(kept)}
        for piece in held:
            self._sample(piece)

    def _room(self) -> int:
        return 0 if self._is_over() else max(FIRST_EVENTS - self._num_events(), 1)

    def _sample(self, piece: Slice) -> None:
        """Look at the part of a slice that was not looked at; alone where it may be deadly."""
        place = piece.partition, piece.incarnation
        new = rest(piece, self._looked.get(place, piece.start))
        for part in one_by_one(new) if self.crash_log.suspects(new) else [new]:
            self.crash_log.begin(part)
            if not self.crash_log.poison_in(part):
                self._samples[place].append(self.ports.codec.decoder.sample(part))
            self.crash_log.dismiss()
        self._looked[place] = new.stop

    def _is_over(self) -> bool:
        """Whether there is nothing more to wait for."""
        if self._began_s is None:
            return False
        if self._num_events() >= FIRST_EVENTS or self._num_held() >= MAX_HELD:
            return True
        if self.ports.transport.exhausted():
            return True
        waited_s = self.ports.clock() - self._began_s
        return self.max_wait_s is not None and waited_s >= self.max_wait_s

    def _num_events(self) -> int:
        return sum(len(sample.events) for held in self._samples.values() for sample in held)

    def _num_held(self) -> int:
        return sum(len(messages_of(piece)) for piece in self.intake.stash)
