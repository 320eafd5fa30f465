"""Channels and keys are watched: what is not as it was meant is told once, and never blocks."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamssl.codecs.registry import build_codec
from streamssl.data.results import NEW
from streamssl.engine.channel_watch import MOST_VANISHED_AFTER, VANISHED_AFTER
from streamssl.engine.key_watch import WARNINGS, WINDOW_EVENTS
from streamssl.engine.summary import MAX_NAMED
from streamssl.telemetry import Metrics
from tests.engine.test_first_epoch import AutoWorld, measured
from tests.engine.world import FakeCodec, World


class NamedWorld(World):
    """JSON events read as the configuration says."""

    def new_codec(self) -> Any:
        codec: Any = FakeCodec()
        codec.decoder = build_codec(self.config()).decoder
        return codec

    def send(
        self, events: list[dict[str, Any]], partition: int = 0, key: bytes | None = b"k"
    ) -> None:
        """Append events under one key."""
        for event in events:
            self.broker.produce("events", partition, json.dumps(event).encode(), key=key)


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The log records of one event."""
    return [vars(r) for r in caplog.records if vars(r).get("event") == event]


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    """A figure of the catalogue."""
    return metrics.registry.get_sample_value(f"streamssl_{name}", labels)


def test_what_was_taken_and_left_out_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In one line of the log, the summary (which `/status` shows) and the metrics."""
    caplog.set_level(logging.INFO, logger="streamssl")
    world, metrics = AutoWorld(tmp_path), Metrics()
    rows = measured(60, 0, "rpm", "load")
    world.send([{"seq": i, "site": "A", **row} for i, row in enumerate(rows)])
    summary = world.engine(metrics=metrics).run()
    assert (summary.channels, summary.num_channels) == (["rpm", "load"], 2)
    assert sorted(summary.left_out) == ["seq", "site"]
    assert "row number" in summary.left_out["seq"]
    (line,) = lines(caplog, "channels")
    assert (line["num_channels"], line["channels"]) == (2, ("rpm", "load"))
    assert "looks like a row number" in line["left_out"]["seq"]
    assert line["decided_by"] == "the first 32 events"
    assert sample(metrics, "fields", kind="taken") == 2
    assert sample(metrics, "fields", kind="left_out") == 2


def test_heartbeats_are_counted_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their fields are neither channels nor new ones; each of them is one dead letter."""
    caplog.set_level(logging.INFO, logger="streamssl")
    world, metrics = AutoWorld(tmp_path), Metrics()
    rows: list[dict[str, Any]] = list(measured(300, 0, "rpm", "load"))
    rows[::10] = [{"hb": 1, "uptime": i} for i in range(30)]
    world.send(rows)
    summary = world.engine(metrics=metrics).run()
    assert summary.channels == ["rpm", "load"]
    assert sorted(summary.left_out) == ["hb", "uptime"]
    assert summary.new_fields == {}
    assert [reason for reason, _ in world.dead_letters()] == [b"missing_field"] * 30
    assert len(lines(caplog, "dead_letter")) == 1


def test_after_a_restart_and_with_names_the_other_fields_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Columns that were known before the first event: the first events say what else there is."""
    caplog.set_level(logging.INFO, logger="streamssl")
    world = NamedWorld(tmp_path, modality={"fields": ["rpm"]})
    world.send([{"site": "A", **row} for row in measured(60, 0, "rpm", "load")])
    for _ in range(2):
        summary = world.engine().run()
        world.send([{"site": "A", **row} for row in measured(60, 1, "rpm", "load")])
    assert summary.channels == ["rpm"]
    assert sorted(summary.left_out) == ["load", "site"]
    assert "modality.fields" in summary.left_out["load"]
    assert len(lines(caplog, "channels")) == 2
    assert not summary.new_fields


def test_channels_are_told_from_the_start_on(tmp_path: Path) -> None:
    """After a restart `/status`, `drained` and the metric know the state's, before any event."""
    world = AutoWorld(tmp_path)
    world.send(measured(60, 0, "rpm", "load"))
    world.engine().run()
    metrics = Metrics()
    summary = world.engine(metrics=metrics).run()
    assert summary.events == 0
    assert (summary.channels, summary.num_channels) == (["rpm", "load"], 2)
    assert sample(metrics, "fields", kind="taken") == 2


def test_named_channels_are_told_from_the_first_start_on(tmp_path: Path) -> None:
    """What the configuration names is known without an event, and without a state."""
    metrics = Metrics()
    world = NamedWorld(tmp_path, modality={"fields": ["rpm"]})
    summary = world.engine(metrics=metrics).run()
    assert (summary.channels, summary.num_channels) == (["rpm"], 1)
    assert sample(metrics, "fields", kind="taken") == 1


@pytest.mark.parametrize("nested", [False, True])
def test_a_channel_that_no_first_event_carries_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, nested: bool
) -> None:
    """With the names near, in log and summary; until a value of it comes, not because of null."""
    prefix = "motor." if nested else ""
    names = [f"{prefix}{name}" for name in ("rpm", "rmp", "none")]
    world = NamedWorld(tmp_path, modality={"fields": names})
    rows: list[dict[str, Any]] = [{**row, "none": None} for row in measured(60, 0, "rpm", "load")]
    world.send([{"motor": row} if nested else row for row in rows])
    summary = world.engine().run()
    assert summary.absent == {f"{prefix}rmp": f"did you mean {prefix}load?"} or nested is False
    assert [*summary.absent] == [f"{prefix}rmp"]
    (line,) = lines(caplog, "channel_absent")
    assert line["channel"] == f"{prefix}rmp"
    assert [*summary.left_out] == [f"{prefix}load"]
    assert not summary.new_fields
    late: dict[str, Any] = {"rpm": 1.5, "rmp": 2.5, "none": None}
    world.send([{"motor": late} if nested else late] * 60)
    assert world.engine().run().absent == {}


def test_a_channel_that_never_had_a_value_has_not_vanished(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor has one that has values again."""
    world = NamedWorld(tmp_path, modality={"fields": ["a", "b"]})
    world.send(measured(MOST_VANISHED_AFTER + 300, 0, "a"))
    world.send(measured(40, 1, "a", "b"))
    summary = world.engine().run()
    assert not summary.vanished
    assert not lines(caplog, "channel_vanished")


def test_a_new_field_is_counted_and_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A field that comes after the first epoch, alone or in another's place."""
    world, metrics = AutoWorld(tmp_path), Metrics()
    world.send(measured(100, 0, "a", "b"))
    world.send(measured(40, 1, "a", "b", "extra"))
    world.send(measured(40, 2, "a", "renamed"))
    summary = world.engine(metrics=metrics).run()
    assert set(summary.new_fields) == {"extra", "renamed"}
    assert summary.new_fields["extra"] == 40
    warned = lines(caplog, "field_new")
    assert sorted(line["field"] for line in warned) == ["extra", "renamed"]
    assert sample(metrics, "fields", kind="new") == 2
    told = sample(metrics, "unknown_field_values_total")
    assert told == sum(summary.new_fields.values())


def test_new_fields_are_bounded(tmp_path: Path) -> None:
    """A producer that names a field after every event fills neither memory nor the log."""
    world, metrics = AutoWorld(tmp_path), Metrics()
    world.send(measured(40, 0, "a", "b"))
    world.send([{"a": 1.5, "b": 0.5, f"x{i}": 1} for i in range(200)])
    summary = world.engine(metrics=metrics).run()
    assert len(summary.new_fields) == MAX_NAMED
    assert sample(metrics, "unknown_field_values_total") == 200


def test_a_channel_that_vanishes_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And the share of what is missing is told for every channel."""
    world, metrics = AutoWorld(tmp_path), Metrics()
    world.send(measured(200, 0, "a", "b"))
    world.send(measured(2 * VANISHED_AFTER, 1, "a"))
    summary = world.engine(metrics=metrics).run()
    assert summary.vanished == ["b"]
    (line,) = lines(caplog, "channel_vanished")
    assert line["channel"] == "b"
    assert sample(metrics, "channel_missing_ratio", channel="a") == 0.0
    share = sample(metrics, "channel_missing_ratio", channel="b")
    assert share is not None
    assert 0.6 < share < 1.0
    assert sample(metrics, "fields", kind="vanished") == 1


def test_the_share_of_missing_values_has_few_labels(tmp_path: Path) -> None:
    """Of many channels the first have labels of their own."""
    world, metrics = AutoWorld(tmp_path), Metrics()
    world.send(measured(40, 0, *(f"c{i}" for i in range(100))))
    world.engine(metrics=metrics).run()
    family = next(f for f in metrics.registry.collect() if f.name.endswith("missing_ratio"))
    assert len(family.samples) == MAX_NAMED + 1
    assert sample(metrics, "channel_missing_ratio", channel="(others)") == 0.0


def keyed(world: AutoWorld, keys: list[bytes | None], num_partitions: int = 1) -> None:
    """Produce an event for each key, to the partitions in turn."""
    rows = measured(len(keys), 0, "a", "b")
    for i, (key, row) in enumerate(zip(keys, rows, strict=True)):
        value = json.dumps(row).encode()
        world.broker.produce("events", i % num_partitions, value, key=key)


@pytest.mark.parametrize(
    ("name", "keys", "num_partitions"),
    [
        ("without_key", [None] * 1_200, 1),
        ("several_partitions", [b"m%d" % (i // 4 % 12) for i in range(400)], 4),
        ("short_lived", [b"%d" % i for i in range(2_600)], 1),
        ("short_lived", [b"%d" % (i // 100) for i in range(2_600)], 1),
    ],
)
def test_keys_that_defeat_their_purpose_are_warned_of_once(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    name: str,
    keys: list[bytes | None],
    num_partitions: int,
) -> None:
    """In the log, the metrics and the summary, with what to do."""
    world, metrics = WarmingWorld(tmp_path, num_partitions=num_partitions), Metrics()
    keyed(world, keys, num_partitions)
    summary = world.engine(metrics=metrics).run()
    assert summary.warnings == {name: WARNINGS[name]}
    assert [line["problem"] for line in lines(caplog, "keys")] == [name]
    assert sample(metrics, "key_warning", reason=name) == 1


def test_keys_as_they_should_be_are_not_warned_of(tmp_path: Path) -> None:
    """A fleet of machines, each in one partition, that comes back again and again."""
    world = WarmingWorld(tmp_path, num_partitions=2)
    keyed(world, [b"m%d" % (i % 300) for i in range(3 * WINDOW_EVENTS)], 2)
    assert world.engine().run().warnings == {}


class WarmingWorld(AutoWorld):
    """The learner says of every event that its key is warming, and how many keys there are."""

    def new_learner(self, hook: Any = None) -> Any:
        learner = super().new_learner() if hook is None else super().new_learner(hook)
        advance, close = learner.advance, learner.close_epoch

        def warming(batch: Any) -> Any:
            results = advance(batch)
            return replace(results, warming=np.full_like(results.warming, NEW))

        def counted(decisions: Any) -> Any:
            return replace(close(decisions), keys_active=len(learner.context))

        learner.advance, learner.close_epoch = warming, counted
        return learner
