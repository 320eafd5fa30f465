"""The demo's input: readings of several machines with faults at known moments.

Shape suffixes: B = events, T = ticks, M = machines, C = channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np

from streamssl.data.events import FloatArray
from streamssl.demo.script import InjectedFault
from streamssl.demo.sensor.faults import (
    LONGEST_S,
    PAST_S,
    FaultSchedule,
    Injection,
    SensorSegment,
)
from streamssl.demo.sensor.plant import DIGITS, FIELDS, Plant, PlantSettings, machine_names

# Event times are whole milliseconds, as the JSON events say them.
TIME_DIGITS = 3


@dataclass(frozen=True, slots=True)
class SensorBlock:
    """Consecutive events, machine by machine within each tick.

    Attributes:
        keys: `[M]` machines in turn; event b is of machine b mod M.
        event_time_B: Seconds since 1970.
        values_BC: Readings.
    """

    keys: tuple[str, ...]
    event_time_B: FloatArray
    values_BC: FloatArray

    def __len__(self) -> int:
        """Number of events."""
        return len(self.event_time_B)

    @property
    def last_event_time(self) -> float:
        """Event time of the last event."""
        return float(self.event_time_B[-1])

    def encoded(self) -> Iterator[tuple[bytes, bytes]]:
        """(key, JSON value) of each event."""
        names = [key.encode() for key in self.keys]
        rows = zip(self.event_time_B.tolist(), self.values_BC.tolist(), strict=True)
        for number, (time_s, values) in enumerate(rows):
            stamp = datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")
            event = {"time": stamp, **dict(zip(FIELDS, values, strict=True))}
            yield names[number % len(names)], msgspec.json.encode(event)


class SensorScript:
    """A seeded plant with a fault schedule; the same seed gives the same events and faults.

    The stream begins with seconds without faults (negative stream time), the live part begins at
    `origin`. A tick is one reading of every machine.

    Args:
        origin: Event time of the first live event, seconds since 1970.
        seed: Of plant and faults.
        live_s: Length of the live part (no fault begins that could not be judged before it
            ends), None for a stream without end.
        grace_s: Seconds after a fault in which it may still be caught.
        settings: Size and pace.

    Attributes:
        keys: The machines.
        origin: As given.
        ticks_per_s: Readings per second and machine.
        num_history_ticks: Ticks before the live part.
        faults: Those injected so far.
    """

    def __init__(
        self,
        *,
        origin: float,
        seed: int = 0,
        live_s: float | None = None,
        grace_s: float = 3.0,
        settings: PlantSettings | None = None,
    ) -> None:
        plant_rng, schedule_rng, self._fault_rng = np.random.default_rng(seed).spawn(3)
        self._settings = settings = settings or PlantSettings()
        self.keys = machine_names(settings.num_machines)
        self.origin = origin
        self.ticks_per_s = settings.ticks_per_s
        self.num_history_ticks = round(settings.history_s * self.ticks_per_s)
        self.faults: list[InjectedFault] = []
        self._tick = -self.num_history_ticks
        self._last_stop = None if live_s is None else (live_s - grace_s) * self.ticks_per_s
        self._plant = Plant(
            num_machines=settings.num_machines, ticks_per_s=self.ticks_per_s, rng=plant_rng
        )
        self._schedule = FaultSchedule(settings, schedule_rng)
        self._next = self._schedule.draw()
        self._past = round(PAST_S * self.ticks_per_s)
        self._ahead_TMC = self._plant.advance(0)
        self._ahead_from = self._tick

    def advance(self, num_ticks: int) -> SensorBlock:
        """The next `num_ticks` readings of every machine; `faults` grows as they are injected."""
        stop = self._tick + num_ticks
        self._prepare(stop + round(LONGEST_S * self.ticks_per_s))
        while self._next.start < stop:
            self._inject(self._next)
            self._next = self._schedule.draw()
        begin = self._tick - self._ahead_from
        values_TMC = self._ahead_TMC[begin : begin + num_ticks]
        block = SensorBlock(self.keys, self._times(num_ticks), values_TMC.reshape(-1, len(FIELDS)))
        self._tick = stop
        return block

    def _times(self, num_ticks: int) -> FloatArray:
        events = np.arange(self._tick * len(self.keys), (self._tick + num_ticks) * len(self.keys))
        return np.asarray(np.round(self.origin + events / self._settings.rate, TIME_DIGITS))

    def _prepare(self, stop: int) -> None:
        """Hold healthy readings from `_past` before the current tick up to `stop`."""
        drop = max(self._tick - self._past - self._ahead_from, 0)
        have = self._ahead_from + len(self._ahead_TMC)
        fresh_TMC = self._plant.advance(max(stop - have, 0))
        self._ahead_TMC = np.concatenate([self._ahead_TMC[drop:], fresh_TMC])
        self._ahead_from += drop

    def _inject(self, injection: Injection) -> None:
        if self._last_stop is not None and injection.stop > self._last_stop:
            return
        machine, column = injection.machine, FIELDS.index(injection.field)
        start, stop = injection.start - self._ahead_from, injection.stop - self._ahead_from
        sensor_T = self._ahead_TMC[:, machine, column]
        segment = SensorSegment(
            healthy_L=sensor_T[start:stop].copy(),
            past_D=sensor_T[start - self._past : start].copy(),
            noise=float(self._plant.noise_MC[machine, column]),
            rng=self._fault_rng,
        )
        sensor_T[start:stop] = np.round(injection.inject(segment), DIGITS)
        self.faults.append(
            InjectedFault(
                self.keys[machine],
                injection.field,
                injection.kind,
                self._event_time(injection.start, machine),
                self._event_time(injection.stop - 1, machine),
            )
        )

    def _event_time(self, tick: int, machine: int) -> float:
        event = tick * len(self.keys) + machine
        return round(self.origin + event / self._settings.rate, TIME_DIGITS)
