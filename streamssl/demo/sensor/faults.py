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
from streamssl.demo.sensor.plant import FIELDS

Shape = Callable[["Sensor"], FloatArray]

LOAD_FIELDS = ("rpm", "torque", "current", "power", "flow", "pressure", "vibration")


@dataclass(frozen=True, slots=True)
class Fault:
    """What was done to the stream, and where.

    Attributes:
        start: Event time of the first reading that it touches.
        end: Event time of the last one.
    """

    key: str
    field: str
    kind: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Sensor:
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


def spike_burst(sensor: Sensor) -> FloatArray:
    """Every third reading is 9 to 10 deviations off, up or down."""
    num = len(sensor.healthy_L)
    heights_L = sensor.rng.uniform(9.0, 10.0, num) * sensor.rng.choice([-1.0, 1.0], num)
    return sensor.plus(heights_L * (np.arange(num) % 3 == 0))


def stuck(sensor: Sensor) -> FloatArray:
    """The sensor repeats its last reading."""
    return np.full_like(sensor.healthy_L, sensor.past_D[-1])


def drift(sensor: Sensor) -> FloatArray:
    """A ramp to 14 deviations."""
    return sensor.plus(14.0 * sensor.side() * np.linspace(0.0, 1.0, len(sensor.healthy_L)))


def level_shift(sensor: Sensor) -> FloatArray:
    """A step of 10 deviations."""
    return sensor.plus(10.0 * sensor.side())


def noise_burst(sensor: Sensor) -> FloatArray:
    """White noise of 7 deviations on top."""
    return sensor.plus(7.0 * sensor.rng.standard_normal(len(sensor.healthy_L)))


def dropout(sensor: Sensor) -> FloatArray:
    """The sensor reads zero, which none of these does in service."""
    return np.zeros_like(sensor.healthy_L)


def broken_coupling(sensor: Sensor) -> FloatArray:
    """The sensor shows its own past: each value is ordinary, with the others it is not."""
    return np.concatenate([sensor.past_D, sensor.healthy_L])[: len(sensor.healthy_L)]


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

    def inject(self, sensor: Sensor) -> FloatArray:
        """The faulty readings in place of the healthy ones."""
        return KINDS[self.kind][0](sensor)


class Schedule:
    """Endless faults, each kind once a round, each machine in turn.

    The first round comes quickly, so that a short run shows every kind; later ones are rarer,
    because what happens to a machine all the time is no anomaly.

    Args:
        num_machines: Machines; the next fault of the same one comes `num_machines` faults later.
        ticks_per_s: Readings per second and machine.
        first_s: Start of the first fault.
        every_s: Seconds from one fault's start to the next, in the first round.
        later_every_s: The same, afterwards.
        rng: Source of kinds, machines and fields.
    """

    def __init__(
        self,
        *,
        num_machines: int,
        ticks_per_s: float,
        first_s: float,
        every_s: float,
        later_every_s: float,
        rng: np.random.Generator,
    ) -> None:
        self._ticks_per_s = ticks_per_s
        self._next_s = first_s
        self._every_s = every_s
        self._later_every_s = later_every_s
        self._machines = rng.permutation(num_machines)
        self._kinds: list[str] = []
        self._rng = rng
        self._num_drawn = 0

    def draw(self) -> Injection:
        """The next fault."""
        if not self._kinds:
            self._kinds = [str(kind) for kind in self._rng.permutation(list(KINDS))]
        kind = self._kinds.pop()
        _, seconds, fields = KINDS[kind]
        start = round(self._next_s * self._ticks_per_s)
        machine = int(self._machines[self._num_drawn % len(self._machines)])
        self._num_drawn += 1
        first_round = self._num_drawn < len(KINDS)
        self._next_s += self._every_s if first_round else self._later_every_s
        stop = start + round(seconds * self._ticks_per_s)
        return Injection(machine, str(self._rng.choice(fields)), kind, start, stop)
