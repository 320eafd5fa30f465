"""A change of the stream that was noticed, and what a model is told of it."""

from __future__ import annotations

from typing import NamedTuple

# What may drift: the share of rare scores, or the loss of an objective (`loss.<objective>`).
SCORES, LOSS = "scores", "loss."


class Drift(NamedTuple):
    """One series of the stream has another level than before, and that lasts.

    Attributes:
        what: `scores`, or `loss.<objective>`.
        epoch: Epoch at whose end it was noticed.
        time: Event time of the rows that showed it (a block of scores, an epoch), in seconds since
            1970.
        since: Event time of the first of the other level.
        before: Level before: of scores the share whose p-value is at most .01, else the loss.
        after: Level since then.
    """

    what: str
    epoch: int
    time: float
    since: float
    before: float
    after: float
