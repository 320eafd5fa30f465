"""Scrapes of a made-up daemon."""

from __future__ import annotations

from benchmarks.speed.results import Machine
from benchmarks.speed.scrapes import Scrape

MACHINE = Machine(cores=2, bytes_per_s=1e10, operations_per_s=1e11)


def scrape(at_s: float, events: int, **stages: float) -> Scrape:
    """What /metrics says at a moment: events, and seconds in each stage."""
    lines = [f'streamssl_input_events_total{{topic="t",outcome="scored"}} {events}']
    lines += ['streamssl_input_events_total{topic="t",outcome="dead_letter"} 5']
    rows = {"learnt": 0.6 * events, "gated": 0.2 * events, "trained": 0.2 * events}
    lines += [f'streamssl_learn_rows_total{{outcome="{o}"}} {n}' for o, n in rows.items()]
    lines += [
        f'streamssl_stage_duration_seconds_sum{{stage="{stage}"}} {seconds}'
        for stage, seconds in stages.items()
    ]
    return Scrape(at_s, "\n".join(lines) + "\n")
