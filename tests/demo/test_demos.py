"""What every script of the demo promises to the stage."""

from __future__ import annotations

import pytest

from streamssl.demo.demos import DEMOS
from streamssl.modalities import MODALITIES

ORIGIN, LIVE_S, GRACE_S = 1_000.0, 20.0, 3.0
EACH = pytest.mark.parametrize("kind", DEMOS)


def test_every_modality_has_a_demo() -> None:
    """A new modality comes with a script that shows it."""
    assert DEMOS.keys() == MODALITIES.keys()


@EACH
def test_the_live_part_begins_at_the_origin(kind: str) -> None:
    """After the history's ticks the event time is the origin's, and no fault was before it."""
    script = DEMOS[kind](origin=ORIGIN, seed=1, live_s=LIVE_S, grace_s=GRACE_S)
    history = script.advance(script.num_history_ticks)
    assert history.last_event_time < ORIGIN
    live = script.advance(round(LIVE_S * script.ticks_per_s))
    assert ORIGIN < live.last_event_time <= ORIGIN + LIVE_S
    assert len(list(live.encoded())) == len(live) > 0
    assert min(fault.start for fault in script.faults) >= ORIGIN


@EACH
def test_every_fault_can_be_judged(kind: str) -> None:
    """It is over, the grace included, when the live part ends; its key is one of the stream's."""
    script = DEMOS[kind](origin=ORIGIN, seed=2, live_s=LIVE_S, grace_s=GRACE_S)
    script.advance(script.num_history_ticks)
    keys = {key.decode() for key, _ in script.advance(round(LIVE_S * script.ticks_per_s)).encoded()}
    assert script.faults
    for fault in script.faults:
        assert fault.start <= fault.end <= ORIGIN + LIVE_S - GRACE_S
        assert fault.key in keys
