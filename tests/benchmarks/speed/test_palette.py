"""The costs of the palette: every choice is measured beside the default."""

from __future__ import annotations

from benchmarks.speed.palette import Cost, measure, table, variants
from streamssl.config.root import Config
from streamssl.config.settings import load_config
from streamssl.learner.replay import POLICIES
from streamssl.modalities.sensor.backbones import BACKBONES
from streamssl.objectives import OBJECTIVES


def test_every_choice_is_measured() -> None:
    """The default, and whatever is not of it: objectives, policies, backbones; all are valid."""
    names = [name for name, _ in variants()]
    off = OBJECTIVES.keys() - Config().objectives.weights().keys()
    assert len(names) == 1 + len(off) + len(POLICIES) - 1 + len(BACKBONES) - 1
    for name, sections in variants():
        assert name == "default" or load_config(sections, environ={}) != Config()


def test_costs_are_of_work_that_was_done() -> None:
    """Learning and reading take time, with and without keys among the inputs."""
    chosen = [pair for pair in variants() if pair[0] in ("default", "objectives.multi_instance")]
    costs = measure(chosen, rounds=1)
    assert list(costs) == ["default", "objectives.multi_instance"]
    assert all(0.0 < seconds < 60.0 for cost in costs.values() for seconds in cost)


def test_the_table_relates_to_the_default() -> None:
    """Milliseconds an epoch, microseconds an event, and both as multiples."""
    costs = {"default": Cost(0.2, 0.04096), "other": Cost(0.3, 0.02048)}
    assert table(costs).splitlines()[2:] == [
        "| `default` | 100.0 | 1.00 | 10.00 | 1.00 |",
        "| `other` | 150.0 | 1.50 | 5.00 | 0.50 |",
    ]
