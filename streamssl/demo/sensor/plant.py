"""Pumps with ten sensors each: load cycles, coupled channels, lags, noise, slow drift.

Shape suffixes: T = ticks, M = machines, C = channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamssl.data.events import FloatArray

FIELDS = (
    "rpm",
    "torque",
    "current",
    "voltage",
    "power",
    "flow",
    "pressure",
    "vibration",
    "temperature",
    "bearing_temperature",
)
# Standard deviation of the sensor noise of a machine of ordinary size, in the field's unit.
NOISE = np.array([20.0, 1.4, 0.55, 0.8, 0.22, 1.1, 0.1, 0.08, 0.25, 0.15])
DIGITS = 4
COLOURED_TAU_S = 0.2
DRIFT_TAU_S = 60.0
DRIFT_SHARE = 0.5
USUAL_LOAD = 0.55


@dataclass(frozen=True, slots=True)
class PlantSettings:
    """Size and pace of the plant, and of what goes wrong in it.

    Attributes:
        num_machines: Machines M, the keys.
        rate: Events per second of all machines together.
        history_s: Fault-free seconds before the live part.
        first_fault_s: Live seconds before the first fault.
        fault_every_s: Seconds from one fault's start to the next, in the first round of kinds.
        later_every_s: The same, afterwards.
    """

    num_machines: int = 12
    rate: float = 480.0
    history_s: float = 36.0
    first_fault_s: float = 2.0
    fault_every_s: float = 3.5
    later_every_s: float = 10.0

    @property
    def ticks_per_s(self) -> float:
        """Readings per second and machine."""
        return self.rate / self.num_machines


def machine_names(num_machines: int) -> tuple[str, ...]:
    """The keys of the stream.

    Example:
        >>> machine_names(2)
        ('pump-1', 'pump-2')
    """
    return tuple(f"pump-{number}" for number in range(1, num_machines + 1))


class Plant:
    """Healthy machines, tick by tick; how calls cut the ticks does not change the values.

    Each machine follows its own load cycle. Speed follows the load, flow the speed, pressure
    the flow; current follows torque, voltage sags with the current, power is their product;
    both temperatures follow slowly. On top of that every sensor has white and coloured noise
    and a slow drift of its own.

    Args:
        num_machines: Machines M.
        ticks_per_s: Readings per second and machine.
        rng: Source of every random choice.
    """

    def __init__(self, *, num_machines: int, ticks_per_s: float, rng: np.random.Generator) -> None:
        shape = (num_machines, len(FIELDS))
        self._dt = 1.0 / ticks_per_s
        self._tick = 0
        self._period_M = rng.uniform(2.0, 5.0, num_machines)
        self._phase_M = rng.uniform(0.0, 2 * np.pi, num_machines)
        self._size_MC = np.exp(rng.normal(0.0, 0.12, shape))
        self.noise_MC = NOISE * self._size_MC
        self._wander_M = rng.normal(0.0, 1.0, num_machines)
        self._coloured_MC = rng.normal(0.0, 1.0, shape)
        self._drift_MC = rng.normal(0.0, 1.0, shape)
        self._lags: dict[str, FloatArray] = {}
        self._rng = rng

    def advance(self, num_ticks: int) -> FloatArray:
        """The next `[T, M, C]` readings."""
        num_machines, num_fields = self._size_MC.shape
        draws_TMN = self._rng.standard_normal((num_ticks, num_machines, 3 * num_fields + 1))
        return np.array([self._reading(draws_MN) for draws_MN in draws_TMN]).reshape(
            num_ticks, num_machines, num_fields
        )

    def _reading(self, draws_MN: FloatArray) -> FloatArray:
        white_MC, coloured_MC, drift_MC = np.split(draws_MN[:, :-1], 3, axis=1)
        self._coloured_MC = self._ornstein(self._coloured_MC, coloured_MC, COLOURED_TAU_S)
        self._drift_MC = self._ornstein(self._drift_MC, drift_MC, DRIFT_TAU_S)
        noise_MC = 0.8 * white_MC + 0.6 * self._coloured_MC + DRIFT_SHARE * self._drift_MC
        signal_MC = self._signals(self._load(draws_MN[:, -1]))
        self._tick += 1
        return np.asarray(np.round(signal_MC * self._size_MC + noise_MC * self.noise_MC, DIGITS))

    def _load(self, draw_M: FloatArray) -> FloatArray:
        self._wander_M = self._ornstein(self._wander_M, draw_M, 1.0)
        angle_M = 2 * np.pi * self._tick * self._dt / self._period_M + self._phase_M
        wave_M = 0.24 * np.sin(angle_M) + 0.06 * np.sin(3 * angle_M)
        return np.asarray(USUAL_LOAD + wave_M + 0.03 * self._wander_M)

    def _signals(self, load_M: FloatArray) -> FloatArray:
        rpm = self._lag("rpm", 900.0 + 900.0 * load_M, 0.15)
        torque = 20.0 + 60.0 * load_M
        current = 4.0 + 0.35 * torque
        voltage = 402.0 - 0.9 * current
        power = voltage * current / 1000.0
        flow = 0.05 * rpm
        pressure = self._lag("pressure", 1.0 + 0.0008 * flow**2, 0.3)
        vibration = 1.5 + 0.002 * rpm
        temperature = self._lag("temperature", 35.0 + 0.03 * current**2, 4.0)
        bearing = self._lag("bearing_temperature", 30.0 + 0.015 * rpm, 6.0)
        columns = (rpm, torque, current, voltage, power, flow, pressure, vibration)
        return np.stack((*columns, temperature, bearing), axis=1)

    def _ornstein(self, state: FloatArray, draw: FloatArray, tau_s: float) -> FloatArray:
        """One tick of a unit-variance Ornstein-Uhlenbeck process."""
        keep = np.exp(-self._dt / tau_s)
        return np.asarray(keep * state + np.sqrt(1.0 - keep**2) * draw)

    def _lag(self, name: str, target_M: FloatArray, tau_s: float) -> FloatArray:
        """A first-order lag towards `target_M`, settled at the first tick."""
        before_M = self._lags.get(name, target_M)
        self._lags[name] = before_M + (1.0 - np.exp(-self._dt / tau_s)) * (target_M - before_M)
        return self._lags[name]
