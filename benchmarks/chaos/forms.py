"""How large the scenarios are: short enough for every test run, or as long as faults deserve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """Counts and times of all scenarios.

    Attributes:
        kills: Processes killed in each of five ways: at random, in bursts, in a checkpoint's
            write, in a commit, in a recovery.
        drains: Processes ended by SIGTERM.
        restarts: Restarts of the broker, the one after the outage included.
        outage_s: The one long absence of the broker.
        rebalances: Times that a group goes from one worker to three and back.
        backlogs: Events since the checkpoint, for each recovery that is timed.
        zombies: Processes frozen until another has taken over.
        good: Messages that can be read.
        bad: Messages among them that cannot.
        most_slower: By how much they may slow a daemon down; seconds tell less than minutes.
        corruptions: Checkpoints that are damaged.
        slow_s: How long the output is slow.
        backlog: Messages behind which learning is thinned.
        soak_s: Time at full speed.
    """

    name: str
    kills: int
    drains: int
    restarts: int
    outage_s: float
    rebalances: int
    backlogs: tuple[int, ...]
    zombies: int
    good: int
    bad: int
    most_slower: float
    corruptions: int
    slow_s: float
    backlog: int
    soak_s: float


FORMS = {
    form.name: form
    for form in (
        Form(
            name="short",
            kills=3,
            drains=5,
            restarts=2,
            outage_s=15.0,
            rebalances=3,
            backlogs=(0, 5_000, 20_000),
            zombies=1,
            good=50_000,
            bad=1_000,
            most_slower=0.2,
            corruptions=100,
            slow_s=20.0,
            backlog=3_000,
            soak_s=60.0,
        ),
        Form(
            name="long",
            kills=20,
            drains=100,
            restarts=20,
            outage_s=600.0,
            rebalances=50,
            backlogs=(0, 50_000, 100_000, 200_000),
            zombies=10,
            good=1_000_000,
            bad=10_000,
            most_slower=0.1,
            corruptions=1_000,
            slow_s=120.0,
            backlog=60_000,
            soak_s=1_800.0,
        ),
    )
}
