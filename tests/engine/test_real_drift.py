"""A stream drifts under the real learner: kills, stops and replays change nothing that is told."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from streamssl.engine.positions import Positions
from streamssl.engine.recovery import Reproduction
from streamssl.host.local import LocalHost
from streamssl.scorers import ensemble
from streamssl.stream import drift
from streamssl.transport.memory import MemoryTransport
from tests.engine.real_world import SMALL, RealWorld
from tests.engine.world import Bomb, stop_after
from tests.transport.faulty_broker import SimulatedCrashError

SECTIONS = {
    **SMALL,
    "drift": {"sensitivity": 0.5},
    "alerts": {"calibration_warmup": 16},
    "checkpoint": {"every_events": 1, "every_s": 1e9, "keep": 99},  # The journal stays whole.
}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some hundred events are a long history: small blocks, keys that are soon calibrated."""
    torch.set_num_threads(1)
    monkeypatch.setattr(drift, "BLOCK_ROWS", 8)
    monkeypatch.setattr(drift, "RARE", 0.1)
    monkeypatch.setattr(ensemble, "FITTED_ROWS", 24)


class ShiftingWorld(RealWorld):
    """Its machines change for good."""

    def produce_shift(self, num_messages: int) -> None:
        """Append events that are larger and of another shape."""
        rng = random.Random(9)
        for _ in range(num_messages):
            level = rng.gauss(0.0, 9.0)
            fields = {name: round(level + rng.gauss(0, 1), 4) for name in ("a", "b", "c", "d")}
            machine = rng.randrange(4)
            value = json.dumps(fields).encode()
            partition = machine % self.broker.num_partitions
            self.broker.produce("events", partition, value, key=b"m%d" % machine)

    def told(self) -> list[bytes | None]:
        """What the spaces topic holds, byte by byte."""
        return [record.value for record in self.broker.records("streamssl.spaces")]


def world(folder: Path) -> ShiftingWorld:
    """Ordinary noise, then other events."""
    made = ShiftingWorld(folder, **SECTIONS)
    made.produce_noise(900)
    made.produce_shift(300)
    return made


def drifts(told: list[bytes | None]) -> list[dict[str, Any]]:
    """The drifts among what was announced."""
    return [value for value in map(json.loads, filter(None, told)) if value["kind"] == "drift"]


def test_kills_stops_and_a_replay_announce_the_same_drifts(tmp_path: Path) -> None:
    """Calm, killed, stopped at every epoch's end, reproduced: every byte is the same."""
    calm, rough = world(tmp_path / "calm"), world(tmp_path / "rough")
    calm.engine().run()
    told = calm.told()
    assert "scores" in {value["what"] for value in drifts(told)}
    for moment in (40, 31, 90):
        with pytest.raises(SimulatedCrashError):
            rough.engine(hook=Bomb(moment), cuts=random.Random(moment)).run()
    while len(rough.scores()) < len(calm.scores()):
        stopping = threading.Event()
        rough.engine(stopping=stopping, on_progress=stop_after(1, stopping)).run()
    assert rough.told() == told
    transport, codec = MemoryTransport(calm.broker), calm.new_codec()
    again = Reproduction(LocalHost(calm.new_learner()), codec, transport, Positions(), "")
    applied = [
        again.apply(record, position, publishing=True)
        for position, record in transport.journal(0)[0]
    ]
    assert [r.value for transaction in applied if transaction for r in transaction.records] == told
