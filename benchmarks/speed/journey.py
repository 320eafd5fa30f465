"""The part `stages`: the daemon's own stage times beside their floors."""

from __future__ import annotations

from benchmarks.speed.bare_clients import bare_client_s
from benchmarks.speed.bars import JSON
from benchmarks.speed.bed import Bed
from benchmarks.speed.child import MeasurementError
from benchmarks.speed.machine import measure_machine
from benchmarks.speed.messages import sample_messages
from benchmarks.speed.ours import Ours, Ran, run_ours
from benchmarks.speed.plan import NUM_CHANNELS, NUM_KEYS, Say
from benchmarks.speed.results import StageTimes
from benchmarks.speed.stages import stage_rows
from benchmarks.speed.work import Traffic, stage_work


def measure_stages(bed: Bed, say: Say) -> StageTimes:
    """The machine, the bare client, and the daemon, one after another."""
    say("machine")
    machine = measure_machine()
    say("bare client")
    broker_s = bare_client_s(bed)
    say("daemon")
    ran = run_ours(bed, Ours(f"{JSON}-stages", ""))
    if ran.window is None:
        raise MeasurementError(
            f"the daemon was done with {bed.plan.events:,} events before its figures were read "
            "twice: too few for a steady window of the stages; give more --events"
        )
    work = stage_work(ran.config, NUM_CHANNELS, NUM_KEYS, _traffic(bed, ran))
    rows = stage_rows(ran.window, work, machine, broker_s)
    return StageTimes(machine=machine, rows=rows, events_per_s=ran.rate.per_s)


def _traffic(bed: Bed, ran: Ran) -> Traffic:
    messages = sample_messages(bed.plan.config(), bed.events())
    saved = ran.config.app.state_dir.glob("**/checkpoint-*")
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in saved]
    return Traffic(
        in_bytes=bed.message_bytes("json"),
        out_bytes=ran.counted.num_bytes / max(ran.counted.events, 1) + messages.packed_bytes,
        state_bytes=max(sizes, default=0),
    )
