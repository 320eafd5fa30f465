"""When a transaction and an epoch end.

A transaction ends at the epoch's end, at `delivery.max_events` or, live, after
`delivery.commit_interval_ms`; an epoch ends by count or, live, by clock. A live epoch ends sooner
where nothing waits (scores wait for learning, and little is learnt quickly) and later where input
does: small epochs cost the most per event. Files know no clock, so that a backtest does not depend
on the machine's speed.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from streamssl.config.sections import DeliveryConfig, LearnConfig
from streamssl.data.results import Decisions
from streamssl.engine.pending import PendingTransaction
from streamssl.host import Host

IDLE_POLL_S = 0.2


class Epochs:
    """Limits of the open transaction and of the open epoch.

    Args:
        host: Says how many events the open epoch has, and how many it takes.
        delivery: Limits of a transaction.
        learn: Limits of an epoch, and the lag that thins learning.
        clock: Seconds that only grow; None for input that is not live.
    """

    def __init__(
        self,
        *,
        host: Host,
        delivery: DeliveryConfig,
        learn: LearnConfig,
        clock: Callable[[], float] | None,
    ) -> None:
        self._host = host
        self._max_messages = delivery.max_events
        self._commit_interval_s = delivery.commit_interval_ms / 1_000
        self._learn = learn
        self._clock = clock
        self._began_s: float | None = None
        self._events_per_message = 1.0
        self._has_backlog = False

    def events_left(self, pending: PendingTransaction) -> int:
        """Events that the open epoch still takes, if they are there."""
        return 0 if self._is_full() else self._limit() - self._num_events(pending)

    def has_enough(self, pending: PendingTransaction) -> bool:
        """Whether the transaction fills the open epoch: it takes more only of what is there."""
        return self._num_events(pending) >= self._target()

    def note_backlog(self, pending: PendingTransaction) -> None:
        """Note whether more input waits than a transaction takes."""
        self._has_backlog = pending.num_messages >= self._max_messages

    def _target(self) -> int:
        """Events at which the open epoch ends where nothing waits."""
        target = self._host.target()
        return min(target, self._learn.live_every) if self._clock else target

    def _limit(self) -> int:
        """Events at which it ends in any case."""
        return self._target() * (self._learn.max_stretch if self._clock else 1)

    def _num_events(self, pending: PendingTransaction) -> int:
        return self._host.num_open_events + pending.num_events

    def _is_full(self) -> bool:
        most = self._limit() if self._has_backlog else self._target()
        return self._host.num_open_events >= most

    def room(self, pending: PendingTransaction) -> int:
        """Most messages that the transaction still takes: an epoch has no event too much.

        Where messages carry many events, about as many as are needed: what is decoded too much
        is decoded again.
        """
        wanted = math.ceil(self.events_left(pending) / self._events_per_message)
        return 0 if pending.full else max(0, min(wanted, self._max_messages - pending.num_messages))

    def note_density(self, num_messages: int, num_events: int) -> None:
        """Note how many events some messages carried."""
        if num_events:
            self._events_per_message = max(1.0, num_events / num_messages)

    def wait_s(self, pending: PendingTransaction) -> float:
        """How long the next poll may wait; 0 where the transaction or the epoch must end."""
        if self._clock is None:
            return IDLE_POLL_S
        now, ends = self._clock(), [self._clock() + IDLE_POLL_S]
        if pending.parts:
            ends.append(pending.began_s + self._commit_interval_s)
        if self._host.num_open_events or pending.num_events:
            ends.append(self._first_event_s() + self._learn.max_wait_s)
        return max(0.0, min(ends) - now)

    def over(self) -> str | None:
        """Why the open epoch ends now, None while it does not."""
        if not self._host.num_open_events:
            self._began_s = None
            return None
        if self._is_full():
            return "count"
        if self._clock and self._clock() - self._first_event_s() >= self._learn.max_wait_s:
            return "clock"
        return None

    def decide(self, reason: str, lag: int) -> Decisions:
        """What the journal says of the open epoch's end; the clock of the next begins anew.

        That is why it ends, the share of its rows that is learnt (all, or fewer in proportion to a
        lag above the limit) and whether it took more than its count because input waited.

        Args:
            reason: Why it ends.
            lag: Messages that wait.
        """
        self._began_s = None
        if self._clock is None:
            return Decisions(reason)
        rate = min(1.0, self._learn.thin_above_lag / max(lag, 1))
        return Decisions(reason, rate, self._host.num_open_events > self._target())

    def _first_event_s(self) -> float:
        assert self._clock is not None
        if self._began_s is None:
            self._began_s = self._clock()
        return self._began_s
