"""The part `kafka`: from topic to topic, ours beside bare clients and Quix Streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from benchmarks.speed.bare_clients import CONFLUENT_FLOORS, FLOORS, run_floor
from benchmarks.speed.bars import QUIX
from benchmarks.speed.bed import Bed
from benchmarks.speed.child import MeasurementError
from benchmarks.speed.ours import OURS, Ours, run_ours
from benchmarks.speed.plan import Say
from benchmarks.speed.results import Rate, Rates
from benchmarks.speed.scripts import NO_PEERS, PEERS, confluent_python, has_peers, run_script

QUIX_ROWS = (
    ("quix-none", "Quix Streams, doing nothing", "none"),
    (QUIX, "Quix Streams + river HalfSpaceTrees behind MinMaxScaler", "hst"),
    ("quix-hst-bare", "Quix Streams + river HalfSpaceTrees alone", "hst-bare"),
)


def measure_kafka(bed: Bed, say: Say) -> Rates:
    """Every row, one after another, on the same broker and events."""
    found = Rates(rows=[], left_out=list(_left_out()))
    for name, measure in _rows(bed):
        say(name)
        try:
            found.rows.append(measure())
        except MeasurementError as error:  # One row less is better than no page.
            found.left_out.append(f"{name}: {error}")
    return found


def _rows(bed: Bed) -> Iterator[tuple[str, Callable[[], Rate]]]:
    """Name and measurement of every row that can be measured here."""
    for floor in (*FLOORS, *(CONFLUENT_FLOORS if confluent_python() else ())):
        yield floor.id, partial(run_floor, bed, floor)
    for id_, name, detector in QUIX_ROWS if has_peers() else ():
        yield name, partial(_run_quix, bed, id_, name, detector)
    for row in OURS:
        yield row.name, partial(_rate_of_ours, bed, row)


def _run_quix(bed: Bed, id_: str, name: str, detector: str) -> Rate:
    output = bed.topic(bed.name("quix-out"))
    task = {
        "bootstrap": bed.bootstrap_servers,
        "input": bed.input("json"),
        "output": output,
        "events": bed.plan.events,
        "state": str(bed.folder / output),
        "detector": detector,
    }
    run_script("peers/quix.py", task, PEERS)
    return bed.count(output).rate(id_, name, bed.plan.events)


def _rate_of_ours(bed: Bed, row: Ours) -> Rate:
    return run_ours(bed, row).rate


def _left_out() -> Iterator[str]:
    if not has_peers():
        yield NO_PEERS
    if confluent_python() is None:
        yield "confluent-kafka is not installed: its floors are left out."
