"""What each of the palette costs beside the default: `python -m benchmarks.speed.palette`.

Processor time of this process, the least of several rounds in which all take turns: what else runs
on the machine, and when, counts for little.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from streamssl.config.root import Config
from streamssl.config.sections import SensorConfig
from streamssl.config.settings import load_config
from streamssl.data.inputs import KEY, Inputs
from streamssl.learner import Learner
from streamssl.learner.replay import POLICIES
from streamssl.modalities.sensor.backbones import BACKBONES
from streamssl.modalities.sensor.modality import SensorModality
from streamssl.modalities.sensor.windows import SensorWindows
from streamssl.objectives import OBJECTIVES, need_keys
from streamssl.stream.keyed_inputs import keyed_spec

NUM_CHANNELS, NUM_KEYS = 16, 16
EPOCHS = 2  # of 4 steps: every objective has its turn
FRESH, EVENTS = 512, 4_096
FULL_BYTES = 2**21  # replay is full before it is measured


class Cost(NamedTuple):
    """Seconds of processor time.

    Attributes:
        learn: Of the ends of `EPOCHS` full-grown epochs.
        infer: Of reading `EVENTS` events.
    """

    learn: float
    infer: float


class Variant:
    """A learner of one choice from the palette, past its burst and with a full replay.

    Args:
        sections: What differs from the defaults.
    """

    def __init__(self, sections: dict[str, Any]) -> None:
        config = load_config({"learn": {"burst_steps": 0}, **_with_replay(sections)}, environ={})
        self._modality = _modality(config)
        self._is_keyed = need_keys(config.objectives)
        spec = self._modality.spec
        self._learner = Learner(
            network=self._modality.network,
            spec=keyed_spec(spec) if self._is_keyed else spec,
            learner=config.learner,
            learn=config.learn,
            objectives=config.objectives,
            replay=config.replay,
        )
        self._windows = _windows(self._modality)
        self._epoch = 0
        while self._epoch < 4 or self._learner.replay_bytes < 0.9 * FULL_BYTES:
            self._close_epoch()

    def cost(self) -> Cost:
        """Learn some epochs, then read some events."""
        learn = _seconds(self._close_epochs)
        return Cost(learn, _seconds(lambda: self._learner.infer(self._windows)))

    def _close_epochs(self) -> None:
        for _ in range(EPOCHS):
            self._close_epoch()

    def _close_epoch(self) -> None:
        self._epoch += 1
        generator = np.random.default_rng(self._epoch)
        rows = generator.integers(0, len(self._windows), FRESH)
        inputs: Inputs = self._windows[rows]
        if self._is_keyed:
            inputs[KEY] = rows % NUM_KEYS
        self._learner.learn(
            inputs,
            EVENTS * self._epoch + np.arange(FRESH, dtype=np.float64),
            epoch=self._epoch,
            num_events=EVENTS,
            num_learnt=EVENTS * self._epoch,
            now_s=0.0,
        )


def variants() -> Iterator[tuple[str, dict[str, Any]]]:
    """The default, then every objective beside its own, every policy and backbone in its place."""
    default = Config()
    yield "default", {}
    for name in OBJECTIVES:
        if name not in default.objectives.weights():
            yield f"objectives.{name}", {"objectives": {name: {"weight": 1.0}}}
    for name in POLICIES:
        if name != default.replay.policy:
            yield f"replay.policy: {name}", {"replay": {"policy": name}}
    for name in BACKBONES:
        if name != default.learner.backbone:
            yield f"learner.backbone: {name}", {"learner": {"backbone": name}}


def measure(chosen: Iterable[tuple[str, dict[str, Any]]], *, rounds: int) -> dict[str, Cost]:
    """The least cost of each over some rounds."""
    learners = {name: Variant(sections) for name, sections in chosen}
    costs = [{name: learner.cost() for name, learner in learners.items()} for _ in range(rounds)]
    return {
        name: Cost(*(min(cost[name][part] for cost in costs) for part in range(2)))
        for name in learners
    }


def table(costs: dict[str, Cost]) -> str:
    """Markdown: the end of an epoch and the reading of an event, each also by the default's."""
    default = costs["default"]
    lines = [
        "| choice | learn, ms an epoch | by the default's | read, µs an event | by the default's |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, cost in costs.items():
        cells = (
            f"`{name}`",
            f"{1e3 * cost.learn / EPOCHS:.1f}",
            f"{cost.learn / default.learn:.2f}",
            f"{1e6 * cost.infer / EVENTS:.2f}",
            f"{cost.infer / default.infer:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _with_replay(sections: dict[str, Any]) -> dict[str, Any]:
    replay = {"max_bytes": FULL_BYTES, **sections.get("replay", {})}
    return {**sections, "replay": replay}


def _modality(config: Config) -> SensorModality:
    section = config.modality
    assert isinstance(section, SensorConfig)
    fields = tuple(f"c{channel}" for channel in range(NUM_CHANNELS))
    return SensorModality(fields=fields, section=section, seed=0, backbone=config.learner.backbone)


def _windows(modality: SensorModality) -> SensorWindows:
    """Windows of consecutive rows of coupled waves with noise."""
    generator = np.random.default_rng(0)
    row_L = np.arange(EVENTS + modality.window - 1)
    waves_LC = np.sin(row_L[:, None] / np.linspace(5.0, 50.0, NUM_CHANNELS))
    z_LC = (waves_LC + generator.normal(0.0, 0.3, waves_LC.shape)).astype(np.float32)
    place_B = np.arange(modality.window - 1, len(z_LC))
    return SensorWindows(z_LC, place_B, modality.window, sizes=modality.sizes)


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    print(table(measure(variants(), rounds=5)))  # noqa: T201 - what the command is for
