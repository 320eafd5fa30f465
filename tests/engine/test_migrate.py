"""Channels that change: refused by name, changed by a verb that keeps what fits, never mixed."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from streamssl.checkpoint import CheckpointError
from streamssl.checkpoint.store import checkpoints
from streamssl.cli.app import app
from streamssl.codecs.registry import build_codec
from streamssl.data.events import Schema
from streamssl.engine.migrate import migrate_state
from streamssl.engine.recovery import JournalBrokenError
from streamssl.engine.reproduce import Reproduced, reproduce
from streamssl.stream import StreamLearner
from tests.engine.real_world import SMALL, RealWorld
from tests.engine.test_loop import expected_ids
from tests.log_lines import log_lines, named


class ChannelWorld(RealWorld):
    """Three machines with channels that a test names."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        settings = SMALL | {"checkpoint": {"every_events": 100, "every_s": 1e9, "keep": 9}}
        super().__init__(folder, **settings | sections)

    def configured(self, **sections: Any) -> None:
        """Change the configuration for the processes that follow."""
        self.sections = {
            name: {**self.sections.get(name, {}), **sections.get(name, {})}
            for name in {*self.sections, *sections}
        }

    def send(self, num_events: int, seed: int, *names: str) -> None:
        """Append events of these fields."""
        rng = random.Random(seed)
        for i in range(num_events):
            row = {name: round(rng.gauss(10 * place, 1), 3) for place, name in enumerate(names)}
            key = b"m%d" % (i % 3)
            self.broker.produce("events", 0, json.dumps(row).encode(), key=key)

    @property
    def state_dir(self) -> Path:
        """The state directory of the first instance."""
        return self.config().app.state_dir


@pytest.fixture
def world(tmp_path: Path) -> ChannelWorld:
    """A stream of three channels that was learnt and stopped."""
    world = ChannelWorld(tmp_path)
    world.send(300, 0, "a", "b", "c")
    world.engine().run()
    return world


def changes(world: ChannelWorld) -> list[str]:
    """Words of the journal that tell of a migration or a gap."""
    words = [change for record in world.journal() for change in record.changes]
    return [word for word in words if not word.startswith("rebased")]


def reproduced(world: ChannelWorld, written: list[int]) -> Reproduced:
    """What a separate process makes of the journal."""
    return reproduce(
        world.config(),
        source=world.transport,
        learner=StreamLearner(world.config()),
        codec=build_codec(world.config()),
        write=lambda _, records: written.append(len(records)),
    )


@pytest.mark.parametrize("state_is_lost", [False, True])
@pytest.mark.parametrize(
    "sections",
    [
        {"modality": {"fields": ["a", "b", "x"]}},
        {"input": {"ignore_fields": ["c"]}},
        {"input": {"time_field": "c"}},
    ],
)
def test_other_channels_than_the_states_are_refused(
    world: ChannelWorld, sections: dict[str, Any], state_is_lost: bool
) -> None:
    """Both lists and the way out, whether the state or only the journal names the first."""
    if state_is_lost:
        world.lose_state()
    world.configured(**sections)
    asked = "a, b, x" if "modality" in sections else "a, b"
    with pytest.raises(CheckpointError, match=f"channels a, b, c, .* {asked};.*checkpoint migrate"):
        world.engine().run()


def test_names_in_another_order_are_the_same_channels(world: ChannelWorld) -> None:
    """The state's order stands."""
    world.configured(modality={"fields": ["c", "a", "b"]})
    world.send(20, 1, "c", "b", "a")
    world.engine().run()
    assert world.ids() == expected_ids(world)
    assert world.learners[0].schema == Schema(("a", "b", "c"))


def test_a_migrated_state_goes_on_and_the_journal_says_so(world: ChannelWorld) -> None:
    """Every event is scored once, by the old channels before and by the new ones after."""
    world.configured(modality={"fields": ["a", "c", "x"]})
    told = migrate_state(world.config())
    assert told[1:4] == ["  kept  a, c", "  new   x", "  gone  b"]
    world.send(300, 1, "a", "c", "x", "b")
    with log_lines() as lines:
        world.engine().run()
    (line,) = named(lines, "migrated")
    assert [line[word] for word in ("kept", "new", "gone")] == ["a, c", "x", "b"]
    world.send(40, 2, "a", "c", "x", "b")
    world.engine().run()
    assert world.ids() == expected_ids(world)
    assert [record.schema for record in world.journal() if record.schema] == [
        Schema(("a", "b", "c")),
        Schema(("a", "c", "x")),
    ]
    assert changes(world) == ["migrated: a, b, c -> a, c, x"]
    assert world.learners[0].schema == Schema(("a", "c", "x"))
    values = [json.loads(m.value or b"") for m in world.broker.records("streamssl.spaces")]
    assert [v["space"] for v in values][-2:] == ["0.1/provisional", "0.1/space-1"]
    assert [v["reason"] for v in values][-2:] == ["channels were changed", "warm-up"]
    assert values[-1]["previous"] == "0.1/provisional"
    size = world.config().learner.embedding
    assert [(p["name"], p["begin"], p["end"]) for p in values[-1]["slices"]] == [
        ("state", 0, 20),
        ("character", 20, 32),
        ("fault", 32, 64),
        ("network", 64, 64 + size),
    ]


def test_a_migration_is_told_at_every_start_until_a_later_checkpoint(world: ChannelWorld) -> None:
    """Also where nothing comes after the first one; of two migrations, what both changed."""
    for names in (["a", "b"], ["a", "x"]):
        world.configured(modality={"fields": names})
        migrate_state(world.config())
    told = []
    for num_events in (0, 200, 10):
        world.send(num_events, 1, "a", "x")
        with log_lines() as lines:
            world.engine().run()
        told.append(
            [(line["kept"], line["new"], line["gone"]) for line in named(lines, "migrated")]
        )
    assert told == [[("a", "x", "b, c")], [("a", "x", "b, c")], []]
    assert named(lines, "started")[0]["channels"] == ["a", "x"]


def test_a_journal_is_replayed_from_after_the_migration(world: ChannelWorld) -> None:
    """Before it the channels were others: only a checkpoint after it begins a whole journal."""
    world.configured(modality={"fields": ["a", "c"]})
    migrate_state(world.config())
    world.send(20, 1, "a", "b", "c")
    world.engine().run()
    world.send(200, 2, "a", "b", "c")
    world.engine().run()
    written: list[int] = []
    found = reproduced(world, written)
    assert found.differing_epochs == []
    assert found.state_crc32c == world.learners[0].state_crc32c()
    world.lose_state()
    with pytest.raises(JournalBrokenError):
        reproduced(world, written)


def test_a_state_of_before_is_not_mixed_with_what_came_after(world: ChannelWorld) -> None:
    """An old backup under a newer journal is refused; migrated again, it goes on."""
    shutil.copytree(world.state_dir, world.folder / "backup")
    world.configured(modality={"fields": ["a", "c"]})
    migrate_state(world.config())
    world.send(100, 1, "a", "b", "c")
    world.engine().run()
    world.lose_state()
    shutil.copytree(world.folder / "backup", world.state_dir)
    with pytest.raises(CheckpointError, match=r"a, b, c.*journal record .* has a, c"):
        world.engine().run()
    migrate_state(world.config())
    world.send(40, 2, "a", "b", "c")
    world.engine().run()
    assert world.ids() == expected_ids(world)


def test_a_state_that_is_lost_after_a_migration_is_a_gap(world: ChannelWorld) -> None:
    """The journal alone cannot bring back what was migrated: that is declared, not guessed."""
    world.configured(modality={"fields": ["a", "c"]})
    migrate_state(world.config())
    world.send(100, 1, "a", "b", "c")
    world.engine().run()
    world.lose_state()
    world.send(100, 2, "a", "b", "c")
    world.engine().run()
    assert world.ids() == expected_ids(world)
    assert changes(world)[-1].startswith("gap: epochs 1..")
    assert world.learners[0].schema == Schema(("a", "c"))


def test_what_still_fits_is_kept(world: ChannelWorld) -> None:
    """Keys, and the statistics and last rows of the channels that stay, in their new places."""
    before = StreamLearner(world.config())
    before.load(world.state_dir / "checkpoints")
    world.configured(modality={"fields": ["x", "c", "a"]})
    migrate_state(world.config())
    after = StreamLearner(world.config())
    after.load(world.state_dir / "checkpoints")
    old, new = (learner.state_dict()["model"] for learner in (before, after))
    assert new["keys"]["keys"] == old["keys"]["keys"]
    for name in ("mean", "var", "count"):
        kept, was = (s["modality"]["normaliser"]["columns"][name] for s in (new, old))
        np.testing.assert_array_equal(kept[:, 1:], was[:, [2, 0]])
    kept, was = (s["modality"]["origins"]["origin"] for s in (new, old))
    np.testing.assert_array_equal(kept[:, 1:], was[:, [2, 0]])
    kept, was = (s["modality"]["context"]["window"] for s in (new, old))
    steps = min(kept.shape[1], was.shape[1])
    np.testing.assert_array_equal(kept[:, -steps:, 1:], was[:, -steps:][..., [2, 0]])
    assert np.isnan(kept[..., 0]).all()
    assert (after.epoch, after.num_open_events) == (before.epoch, 0)
    assert after.state_crc32c() != before.state_crc32c()


def test_there_may_be_nothing_to_change(world: ChannelWorld, tmp_path: Path) -> None:
    """The same channels are left as they are; a folder without a state is an error."""
    newest = checkpoints(world.state_dir / "checkpoints")[0]
    before = sorted((path, path.stat().st_mtime_ns) for path in newest.iterdir())
    assert "has these channels already" in migrate_state(world.config())[0]
    assert sorted((path, path.stat().st_mtime_ns) for path in newest.iterdir()) == before
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        migrate_state(ChannelWorld(tmp_path / "other").config())


def test_a_learner_refuses_a_state_of_other_channels(world: ChannelWorld) -> None:
    """From Python, too: a checkpoint or a batch that is not of the channels that were named."""
    world.configured(modality={"fields": ["a", "x"]})
    learner = StreamLearner(world.config())
    with pytest.raises(CheckpointError, match=r"a, b, c.*a, x"):
        learner.load(world.state_dir / "checkpoints")
    piece = world.transport.reread(0, 0, 5)
    batch = build_codec(world.config()).decoder.decode(piece, Schema(("a", "b"))).batch
    with pytest.raises(ValueError, match="not the columns"):
        learner.process(batch)


def test_the_verb_says_what_it_did(world: ChannelWorld) -> None:
    """`streamssl checkpoint migrate`: what is kept, new and gone; without a state exit code 4."""
    path = world.folder / "config.yaml"
    app_section = {"state_dir": str(world.state_dir)}
    sections = world.sections | {"app": app_section, "modality": {"window": 8, "fields": ["a"]}}
    path.write_text(json.dumps(sections))
    result = CliRunner().invoke(app, ["checkpoint", "migrate", "-c", str(path)])
    assert result.exit_code == 0, result.output
    assert "kept  a\n" in result.output
    assert "gone  b, c\n" in result.output
    nowhere = ["--set", f"app.state_dir={world.folder / 'nowhere'}"]
    refused = CliRunner().invoke(app, ["checkpoint", "migrate", "-c", str(path), *nowhere])
    assert isinstance(refused.exception, CheckpointError)
    assert refused.exception.exit_code == 4
