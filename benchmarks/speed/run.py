"""The run: the parts that were asked for, one after another, each kept when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from benchmarks.speed.bars import JSON
from benchmarks.speed.bed import Bed
from benchmarks.speed.journey import measure_stages
from benchmarks.speed.kafka import measure_kafka
from benchmarks.speed.keys import measure_many_keys
from benchmarks.speed.latency import measure_latency
from benchmarks.speed.memory import measure_memory
from benchmarks.speed.ours import OURS, run_ours
from benchmarks.speed.page import render
from benchmarks.speed.plan import PARTS, Say, SpeedPlan
from benchmarks.speed.results import Latency
from benchmarks.speed.store import Origin, Store, build, load_average, versions
from streamssl.data.events import StreamsslError


class UnknownPartError(StreamsslError):
    """A part that does not exist was asked for."""

    exit_code = 2


@dataclass
class SpeedRun:
    """One command.

    Attributes:
        plan: Sizes.
        store: Where parts are kept.
        command: The command line, for the page.
        say: Told what is being measured.
    """

    plan: SpeedPlan
    store: Store
    command: str
    say: Say

    def run(self, parts: Sequence[str]) -> str:
        """Measure these parts, and give the page of all that are kept.

        Raises:
            TooFewEventsError: Before anything is measured.
            StreamsslError: A part cannot be measured at all; those before it are kept.
        """
        self.plan.check(parts)
        with ExitStack() as stack:
            measurements = self._measurements(stack)
            for name in sorted(set(parts), key=PARTS.index):
                self._measure(name, measurements[name])
        return render(self.command, self.store.parts(), self.store.origins())

    def _measurements(self, stack: ExitStack) -> dict[str, Callable[[Say], msgspec.Struct]]:
        """How each part is measured; the broker is started by the first that needs one."""
        beds: list[Bed] = []

        def bed() -> Bed:
            if not beds:
                self.say("broker")
                beds.append(stack.enter_context(Bed(self.plan)))
            return beds[0]

        return {
            "stages": lambda say: measure_stages(bed(), say),
            "kafka": lambda say: measure_kafka(bed(), say),
            "memory": lambda say: measure_memory(self.plan, say),
            "latency": lambda say: self._latency(bed(), say),
            "keys": lambda say: measure_many_keys(self.plan, say),
        }

    def _measure(self, name: str, measurement: Callable[[Say], msgspec.Struct]) -> None:
        load, began_s = load_average(), time.monotonic()
        part = measurement(lambda what: self.say(f"{name}: {what}"))
        origin = Origin(
            command=self.command,
            events=self.plan.events,
            at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
            build=build(),
            versions=versions(),
            load_before=load,
            seconds=time.monotonic() - began_s,
        )
        self.store.keep(name, part, origin)

    def _latency(self, bed: Bed, say: Say) -> Latency:
        """Half of the rate that the part `kafka` gave; without it, of one that is measured now."""
        origin = self.store.origins().get("kafka")
        fresh = origin is not None and (origin.build, origin.events) == (build(), self.plan.events)
        rows = self.store.parts()["kafka"].rows if fresh else []
        rates = {row.id: row.per_s for row in rows}
        if JSON not in rates:
            say("our JSON rate")
            rates[JSON] = run_ours(bed, OURS[0]).rate.per_s
        return measure_latency(bed, rates[JSON], say)


def parse_parts(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated list; none of an empty one.

    Example:
        >>> parse_parts("memory,keys"), parse_parts("")
        (('memory', 'keys'), ())

    Raises:
        UnknownPartError: It names the parts that there are.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in PARTS:
            raise UnknownPartError(f"there is no part {name!r}; there are: {', '.join(PARTS)}")
    return names
