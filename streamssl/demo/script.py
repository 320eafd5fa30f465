"""What a demo plays: a stream of one modality, with faults at moments that it knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """What was done to the stream, and where.

    Attributes:
        key: Whose events it touches.
        field: The field that it touches, and that ought to be blamed.
        kind: Its name.
        start: Event time of the first event that it touches.
        end: Event time of the last one.
    """

    key: str
    field: str
    kind: str
    start: float
    end: float


class Block(Protocol):
    """Consecutive events of a script."""

    @property
    def last_event_time(self) -> float:
        """Event time of the last one, in seconds since 1970."""

    def __len__(self) -> int:
        """Number of events."""

    def encoded(self) -> Iterator[tuple[bytes, bytes]]:
        """Key and value of each event, as the daemon's configuration reads them."""


class Script(Protocol):
    """A seeded stream, tick by tick: a history without faults, then the live part.

    Attributes:
        origin: Event time of the first live event, in seconds since 1970.
        ticks_per_s: Pace of the live part.
        num_history_ticks: Ticks before it.
    """

    origin: float
    ticks_per_s: float
    num_history_ticks: int

    @property
    def faults(self) -> Sequence[InjectedFault]:
        """Those injected so far, in the order of their start."""

    def advance(self, num_ticks: int) -> Block:
        """The next events; `faults` grows as they are injected."""


class ScriptOpener(Protocol):
    """How the demo begins a script of a modality."""

    def __call__(self, *, origin: float, seed: int, live_s: float | None, grace_s: float) -> Script:
        """A script from its first event on.

        Args:
            origin: Event time of the first live event, in seconds since 1970.
            seed: Of everything random; the same seed gives the same events and faults.
            live_s: Length of the live part, None for a stream without end. No fault begins that
                could not be judged before its end.
            grace_s: Seconds after a fault in which it may still be caught.
        """
