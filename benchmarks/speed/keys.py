"""The part `keys`: cost and memory from ten keys to a hundred thousand."""

from __future__ import annotations

from benchmarks.speed.child import measure
from benchmarks.speed.learner import KeysFound, LearnerTask
from benchmarks.speed.plan import NUM_CHANNELS, Say, SpeedPlan
from benchmarks.speed.results import Keys

MOST_TIMED = 40_000


def measure_many_keys(plan: SpeedPlan, say: Say) -> Keys:
    """Each number of keys in a process of its own; the largest also saves a checkpoint."""
    found: list[KeysFound] = []
    for keys in plan.key_counts:
        say(f"{keys:,} keys")
        task = LearnerTask(
            events=min(plan.events // 3, MOST_TIMED),
            channels=NUM_CHANNELS,
            keys=keys,
            settings=plan.settings,
            seed=plan.seed,
            checkpoint=keys == plan.key_counts[-1],
        )
        found.append(measure("keys", task, KeysFound))
    checkpoint = found[-1].checkpoint
    assert checkpoint is not None, "the last task asks for one"
    return Keys(rows=[one.row for one in found], checkpoint=checkpoint)
