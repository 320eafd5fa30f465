"""The part `stages`: the daemon's own stage times beside their floors, and profiles."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.speed.bare_clients import bare_client_s
from benchmarks.speed.bars import JSON
from benchmarks.speed.bed import Bed
from benchmarks.speed.child import MeasurementError, measure
from benchmarks.speed.learner import SETTLED_EVENTS, Sampled, Task
from benchmarks.speed.machine import measure_machine
from benchmarks.speed.messages import sample_messages
from benchmarks.speed.ours import Ours, Ran, run_ours
from benchmarks.speed.plan import NUM_CHANNELS, NUM_KEYS
from benchmarks.speed.profiled import PROFILED, load_profiles
from benchmarks.speed.results import Profile, Stages
from benchmarks.speed.stages import pick, slowest, stage_rows
from benchmarks.speed.work import Traffic, stage_work

Say = Callable[[str], None]


def measure_stages(bed: Bed, say: Say) -> Stages:
    """Machine, bare client, daemon, profiled daemon, learner under a sampler."""
    say("machine")
    machine = measure_machine()
    say("bare client")
    broker_s = bare_client_s(bed)
    say("daemon")
    ran = run_ours(bed, Ours(f"{JSON}-stages", ""))
    if ran.window is None:
        raise MeasurementError("too few events for a steady window of the stages")
    work = stage_work(ran.config, NUM_CHANNELS, NUM_KEYS, _traffic(bed, ran))
    rows = stage_rows(ran.window, work, machine, broker_s)
    say("profiles")
    return Stages(
        machine=machine,
        rows=rows,
        events_per_s=ran.rate.per_s,
        profiles=pick(profile_daemon(bed), slowest(rows)),
        compute=_profile_learner(bed),
    )


def _traffic(bed: Bed, ran: Ran) -> Traffic:
    messages = sample_messages(bed.plan.config(), bed.events())
    saved = ran.config.app.state_dir.glob("**/checkpoint-*")
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in saved]
    return Traffic(
        in_bytes=bed.message_bytes("json"),
        out_bytes=ran.counted.num_bytes / max(ran.counted.events, 1) + messages.packed_bytes,
        state_bytes=max(sizes, default=0),
    )


def profile_daemon(bed: Bed) -> dict[str, Profile]:
    """The first half of the same backlog once more, under a profiler."""
    ran = run_ours(bed, Ours(f"{JSON}-profiled", ""), PROFILED, max(bed.plan.events // 2, 1))
    return load_profiles(bed.folder / f"{ran.config.app.name}.yaml")


def _profile_learner(bed: Bed) -> list[Profile]:
    """The compute path alone, on the same events, all its threads."""
    events = max(min(bed.plan.memory_events, 2 * SETTLED_EVENTS), 1)
    task = Task(
        events=events,
        channels=NUM_CHANNELS,
        keys=NUM_KEYS,
        settings=bed.plan.settings,
        seed=bed.plan.seed,
    )
    return measure("sampled", task, Sampled).profiles
