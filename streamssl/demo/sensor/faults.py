"""Faults of seven kinds, injected at known moments on a known field of a known machine.

Amplitudes are in standard deviations of the sensor's own noise; the load cycle moves most
fields by ten to a hundred of them, so few faults stand out to the naked eye.

Shape suffixes: L = readings of the fault, D = readings of that sensor before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamssl.data.events import FloatArray
from streamssl.demo.sensor.plant import FIELDS, PlantSettings

Shape = Callable[["SensorSegment"], FloatArray]

LOAD_FIELDS = ("rpm", "torque", "current", "power", "flow", "pressure", "vibration")


@dataclass(frozen=True, slots=True)
class SensorSegment:
    """A stretch of one sensor's readings that is about to turn faulty.

    Attributes:
        healthy_L: What it would read.
        past_D: What it read before.
        noise: Standard deviation of its noise.
        rng: Source of the fault's random choices.
    """

    healthy_L: FloatArray
    past_D: FloatArray
    noise: float
    rng: np.random.Generator

    def plus(self, deviations_L: npt.ArrayLike) -> FloatArray:
        """Healthy readings with so many deviations of noise added."""
        return np.asarray(self.healthy_L + self.noise * np.asarray(deviations_L))

    def side(self) -> float:
        """Up (1) or down (-1)."""
        return float(self.rng.choice([-1.0, 1.0]))


def spike_burst(segment: SensorSegment) -> FloatArray:
    """Every third reading is 9 to 10 deviations off, up or down."""
    num = len(segment.healthy_L)
    heights_L = segment.rng.uniform(9.0, 10.0, num) * segment.rng.choice([-1.0, 1.0], num)
    return segment.plus(heights_L * (np.arange(num) % 3 == 0))


def stuck(segment: SensorSegment) -> FloatArray:
    """The sensor repeats its last reading."""
    return np.full_like(segment.healthy_L, segment.past_D[-1])


def drift(segment: SensorSegment) -> FloatArray:
    """A ramp to 14 deviations."""
    return segment.plus(14.0 * segment.side() * np.linspace(0.0, 1.0, len(segment.healthy_L)))


def level_shift(segment: SensorSegment) -> FloatArray:
    """A step of 10 deviations."""
    return segment.plus(10.0 * segment.side())


def noise_burst(segment: SensorSegment) -> FloatArray:
    """White noise of 7 deviations on top."""
    return segment.plus(7.0 * segment.rng.standard_normal(len(segment.healthy_L)))


def dropout(segment: SensorSegment) -> FloatArray:
    """The sensor reads zero, which none of these does in service."""
    return np.zeros_like(segment.healthy_L)


def broken_coupling(segment: SensorSegment) -> FloatArray:
    """The sensor shows its own past: each value is ordinary, with the others it is not."""
    return np.concatenate([segment.past_D, segment.healthy_L])[: len(segment.healthy_L)]


# Kind -> (shape, seconds, fields that it can be seen on).
KINDS: dict[str, tuple[Shape, float, tuple[str, ...]]] = {
    "spike_burst": (spike_burst, 2.0, FIELDS),
    "stuck": (stuck, 2.5, LOAD_FIELDS),
    "drift": (drift, 3.0, FIELDS),
    "level_shift": (level_shift, 2.0, FIELDS),
    "noise_burst": (noise_burst, 2.0, FIELDS),
    "dropout": (dropout, 1.5, FIELDS),
    "broken_coupling": (broken_coupling, 2.5, LOAD_FIELDS),
}
LONGEST_S = max(seconds for _, seconds, _ in KINDS.values())
# How far `broken_coupling` looks back: about a third of a load cycle.
PAST_S = 1.0


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault before it happens, in ticks: machine and field by index."""

    machine: int
    field: str
    kind: str
    start: int
    stop: int

    def inject(self, segment: SensorSegment) -> FloatArray:
        """The faulty readings in place of the healthy ones."""
        return KINDS[self.kind][0](segment)


class FaultSchedule:
    """Endless faults, each kind once a round, each machine in turn.

    The first round comes quickly, so that a short run shows every kind; later ones are rarer,
    because what happens to a machine all the time is no anomaly.

    Args:
        settings: How many machines there are, and how often faults come; the next fault of the
            same machine comes as many faults later as there are machines.
        rng: Source of kinds, machines and fields.
    """

    def __init__(self, settings: PlantSettings, rng: np.random.Generator) -> None:
        self._settings = settings
        self._next_s = settings.first_fault_s
        self._machines = rng.permutation(settings.num_machines)
        self._kinds: list[str] = []
        self._rng = rng
        self._num_drawn = 0

    def draw(self) -> Injection:
        """The next fault, later than all before it."""
        if not self._kinds:
            self._kinds = [str(kind) for kind in self._rng.permutation(list(KINDS))]
        kind = self._kinds.pop()
        _, seconds, fields = KINDS[kind]
        ticks_per_s = self._settings.ticks_per_s
        start = round(self._next_s * ticks_per_s)
        machine = int(self._machines[self._num_drawn % len(self._machines)])
        self._num_drawn += 1
        first_round = self._num_drawn < len(KINDS)
        every_s = self._settings.fault_every_s if first_round else self._settings.later_every_s
        self._next_s += every_s
        stop = start + round(seconds * ticks_per_s)
        return Injection(machine, str(self._rng.choice(fields)), kind, start, stop)
