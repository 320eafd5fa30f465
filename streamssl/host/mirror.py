"""What both sides of the learner's process know."""

from __future__ import annotations

import msgspec

from streamssl.data.events import Schema


class Mirror(msgspec.Struct, array_like=True):
    """What the engine wants to know of the learner without asking.

    Attributes:
        num_open_events: Rows of the open epoch.
        target: Events at which it is full.
        next_target: Events of the next epoch, were the open one closed now.
        remember_s: Seconds that the last copy of the state took.
        took: Stages that ran since the last answer, with their seconds.
        written: Checkpoints whose writing has ended: journal position, bytes, seconds.
    """

    epoch: int
    schema: Schema | None
    num_open_events: int
    target: int
    next_target: int
    state_crc32c: int
    remember_s: float
    took: list[tuple[str, float]]
    written: list[tuple[int, int, float]]
