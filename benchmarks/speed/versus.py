"""`python -m benchmarks.speed.versus --base REVISION`: another revision and this one, in turns.

The same daemon on one broker and the same `replay`, round after round: ratios of what both took in
the same minutes. Processor time counts what other users of the machine cannot take away.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.speed.bed import Bed
from benchmarks.speed.daemon import MeasuredDaemon
from benchmarks.speed.ours import OURS, TIMEOUT_S, ours_config
from benchmarks.speed.plan import SpeedPlan
from benchmarks.speed.scrapes import Scrape, steady_window
from benchmarks.speed.stream import generate
from benchmarks.work_tree import HERE, work_tree

# Older revisions have no `-m streamssl`.
ENTRY = ("-c", "from streamssl.cli.app import main; main()")
REPLAY_CHANNELS = 38
# Start-up is the difference to a run over few rows; it takes as long as 60,000 rows do.
FEW_ROWS = 4_000
ROWS_PER_EVENT = 4


@dataclass
class Figures:
    """What the rounds of one side gave.

    Attributes:
        rates: Events per second of each round.
        cpu_us: Processor time an event, both processes together.
        few_s, many_s: Processor time of each round's replays of few and of many rows.
    """

    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    few_s: list[float] = field(default_factory=list)
    many_s: list[float] = field(default_factory=list)


class TimedDaemon(MeasuredDaemon):
    """Notes its processor time, the learner's process included, with every scrape.

    Attributes:
        cpu_s: Seconds of processor time, by the moment of the scrape.
    """

    cpu_s: dict[float, float]

    def scrape(self) -> Scrape | None:
        """Its figures now; None while it does not answer."""
        found = super().scrape()
        if found is not None:
            vars(self).setdefault("cpu_s", {})[found.at_s] = _cpu_s(psutil.Process(self.pid))
        return found


def _cpu_s(process: psutil.Process) -> float:
    family = (process, *process.children(recursive=True))
    times = [member.cpu_times() for member in family]
    return float(sum(time.user + time.system for time in times))


def run_daemon(bed: Bed, tree: Path, figures: Figures) -> None:
    """Let a tree's daemon work off the backlog; its steady part counts."""
    config = ours_config(bed, OURS[0])
    bed.topic(f"{config.app.name}.scores")
    with imported_from(tree), TimedDaemon.from_config(config, bed.folder, ENTRY) as daemon:
        scrapes = daemon.scrape_until(bed.plan.events, TIMEOUT_S)
        window = steady_window(scrapes, scrapes[-1].events)
    assert window is not None, "too few events for a steady part: give --events a larger number"
    figures.rates.append(window.events / window.seconds)
    cpu_s = daemon.cpu_s[window.last.at_s] - daemon.cpu_s[window.first.at_s]
    figures.cpu_us.append(1e6 * cpu_s / window.events)


def run_replay(folder: Path, num_rows: int, tree: Path, figures: Figures) -> None:
    """Score a file of 38 channels; what few rows take at the least does not count.

    The least of all rounds: start-up takes seconds, and differs by more than what is measured.
    """
    few_s, many_s = (_replay_cpu_s(folder, n, tree) for n in (FEW_ROWS, num_rows + FEW_ROWS))
    figures.few_s.append(few_s)
    figures.many_s.append(many_s)
    least_s = min(figures.few_s)
    figures.cpu_us = [1e6 * (many_s - least_s) / num_rows for many_s in figures.many_s]


def _replay_cpu_s(folder: Path, num_rows: int, tree: Path) -> float:
    source, output = folder / f"{num_rows}.parquet", folder / "scores.parquet"
    if not source.exists():
        batch = generate(num_rows, num_channels=REPLAY_CHANNELS, num_keys=1)
        columns = dict(zip(batch.fields, batch.values_BC.T, strict=True))
        pq.write_table(pa.table(columns), source)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ("replay", "--input", str(source), "--output", str(output))
    with imported_from(tree):
        subprocess.run(  # noqa: S603 - our own interpreter and module
            [sys.executable, *ENTRY, *words], check=True, capture_output=True
        )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def imported_from(tree: Path) -> Iterator[None]:
    """Processes that are started in the block import streamssl from a work tree."""
    before = dict(os.environ)
    # Safe: not the folder that they run in comes first.
    os.environ.update(PYTHONPATH=str(tree), PYTHONSAFEPATH="1")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def report(name: str, base: Figures, here: Figures) -> str:
    """Ratios over 1 say that this revision is faster: of the best rounds, and of pairs."""
    lines = [f"{name}: here against the base, {len(base.cpu_us)} rounds each"]
    for what, one, other in (
        ("events a second", here.rates, base.rates),
        ("processor time an event", [1 / x for x in here.cpu_us], [1 / x for x in base.cpu_us]),
    ):
        if one:
            pairs = np.array(one) / np.array(other)
            best = max(one) / max(other)
            lines.append(f"  {what}: best {best:.3f}, median of pairs {np.median(pairs):.3f}")
    lines.append(f"  µs an event: here {min(here.cpu_us):.1f}, base {min(base.cpu_us):.1f}")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run both trees in turns, and print how they compare."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.versus", description=__doc__)
    parser.add_argument("--base", required=True, help="revision to compare with")
    parser.add_argument("--rounds", type=int, default=4, help="of each side")
    parser.add_argument("--events", type=int, default=60_000, help="of a round")
    asked = parser.parse_args()
    num_rows = ROWS_PER_EVENT * asked.events
    kafka, replay = (Figures(), Figures()), (Figures(), Figures())
    with work_tree(asked.base) as tree, tempfile.TemporaryDirectory() as folder:
        with Bed(SpeedPlan(events=asked.events)) as bed:
            for number in range(asked.rounds):
                for side in (0, 1) if number % 2 == 0 else (1, 0):
                    run_daemon(bed, (tree, HERE)[side], kafka[side])
        for number in range(asked.rounds):
            for side in (0, 1) if number % 2 == 0 else (1, 0):
                run_replay(Path(folder), num_rows, (tree, HERE)[side], replay[side])
    sys.stdout.write(report("Kafka to Kafka, JSON", *kafka))
    sys.stdout.write(report(f"replay, {REPLAY_CHANNELS} channels", *replay))


if __name__ == "__main__":
    main()
