"""The stream's columns: decided once, journalled once, and the same after any restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamssl.codecs.json import JsonDecoder
from streamssl.config.root import Config
from streamssl.config.sections import InputConfig, SensorConfig
from streamssl.config.sections.modality import ColumnSpec
from streamssl.data.events import Schema
from streamssl.engine.positions import Positions
from streamssl.transport.journal import JournalRecord, decode_record
from tests.engine.test_loop import expected_ids
from tests.engine.world import FakeCodec, World

SCHEMA = Schema(("x",), ("city",))


class TextSection(SensorConfig):
    """Asks for a text beside the numbers."""

    def columns(self) -> ColumnSpec:
        return ColumnSpec("auto", ("city",))


class TextWorld(World):
    """JSON events with a number and a text."""

    def config(self, instance: int = 0) -> Config:
        return super().config(instance).model_copy(update={"modality": TextSection()})

    def new_codec(self) -> Any:
        codec: Any = FakeCodec()
        codec.decoder = JsonDecoder(topic="events", texts=["city"], input=InputConfig())
        return codec

    def produce_events(self, events: list[dict[str, Any]]) -> None:
        """Append JSON objects."""
        for event in events:
            self.broker.produce("events", 0, json.dumps(event).encode(), key=b"k")


def record(**changes: Any) -> JournalRecord:
    """A record of nothing, but for the changes."""
    return JournalRecord(instance=0, seq=1, epoch=1, **changes)


def test_a_record_without_texts_has_no_word_of_them() -> None:
    """The bytes of a stream of numbers stay what they were; one with texts comes back whole."""
    assert record(fields=["a"]).encode() == b'{"instance":0,"seq":1,"epoch":1,"fields":["a"]}'
    both = record(fields=["a"], texts=["city"])
    assert decode_record(both.encode()) == both
    assert both.schema == Schema(("a",), ("city",))
    assert record(fields=[], texts=["city"]).schema == Schema((), ("city",))
    assert record().schema is None


def test_positions_own_the_columns() -> None:
    """The first decision stands, what is journalled overrides it, and only that is saved."""
    positions = Positions()
    positions.decide(None)
    positions.decide(SCHEMA)
    positions.decide(Schema(("y",)))
    assert (positions.schema, positions.schema_is_journalled) == (SCHEMA, False)
    assert Positions.from_state_dict(positions.state_dict()).schema is None
    positions.landed(record(fields=["y"], texts=["z"]), 1)
    saved = msgspec.json.decode(msgspec.json.encode(positions.state_dict()))
    restored = Positions.from_state_dict(saved)
    assert restored == positions
    assert (restored.schema, restored.schema_is_journalled) == (Schema(("y",), ("z",)), True)


@pytest.mark.parametrize("texts_come_first", [True, False])
def test_columns_are_journalled_once_and_hold_after_a_restart(
    tmp_path: Path, texts_come_first: bool
) -> None:
    """A process that meets other events first reads them by the columns of the one before."""
    world = TextWorld(tmp_path)
    first: list[dict[str, Any]] = [{"x": 1.0, "city": "Rome"}, {"x": 2.0}]
    world.produce_events(first if texts_come_first else first[::-1])
    world.engine().run()
    assert world.journal()[0].schema == SCHEMA
    world.produce_events([{"other": 7, "city": "Oslo"}, {"x": 3, "city": 17}])
    world.engine().run()
    assert [r.schema for r in world.journal()] == [SCHEMA] + [None] * (len(world.journal()) - 1)
    assert world.learners[0].schema == SCHEMA
    assert world.ids() == expected_ids(world)
    learner, published, differing = world.replay()
    assert (published, differing) == (world.scores(), {})
    assert learner.schema == SCHEMA
