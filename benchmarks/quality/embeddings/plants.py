"""Generated plants: the demo's machines under changing load, with faults of known kinds.

T = rows of a machine, K = machines, C = channels, L = rows of an incident.
"""

from __future__ import annotations

import numpy as np

from benchmarks.quality.embeddings.fleet import Fleet, KnownIncidents
from benchmarks.quality.embeddings.kinds import (
    FIRST_PALETTE,
    SECOND_PALETTE,
    Palette,
    ProcessKind,
    SensorKind,
)
from streamssl.data.events import FloatArray, IntArray
from streamssl.demo.sensor.faults import SensorSegment
from streamssl.demo.sensor.plant import DIGITS, FIELDS, USUAL_LOAD, Plant, machine_names

PALETTES: dict[str, Palette] = {"plant": FIRST_PALETTE, "plant-other-kinds": SECOND_PALETTE}
NUM_MACHINES, NUM_ROWS = 20, 10_000
_TICKS_PER_S = 20.0
_LEVELS, _SWINGS = np.array([0.25, 0.55, 0.85]), np.array([0.3, 1.0, 0.5])
_STAY_ROWS = 400.0
_RATE = 0.1
_PAST_ROWS = 20
# Of the stream: before the first no machine fails; up to the second one does seldom.
_FIRST_SHARE, _SELDOM_SHARE = 0.15, 0.4
_INCIDENT_ROWS, _PAUSE_ROWS, _SELDOM_ROWS = (40, 60), (130, 250), (1_200, 1_800)
_SIZES = (0.6, 1.5)


class RegimePlant(Plant):
    """Machines that change between three load regimes, each with a level and a swing.

    Args:
        num_machines: Machines.
        rng: Source of every random choice.

    Attributes:
        regimes: Regime of each machine, one array a tick.
    """

    def __init__(self, *, num_machines: int, rng: np.random.Generator) -> None:
        plant_rng, self._regime_rng = rng.spawn(2)
        super().__init__(num_machines=num_machines, ticks_per_s=_TICKS_PER_S, rng=plant_rng)
        self._regime_M = self._regime_rng.integers(0, len(_LEVELS), num_machines)
        self._level_M, self._swing_M = _LEVELS[self._regime_M], _SWINGS[self._regime_M]
        self.regimes: list[IntArray] = []

    def _load(self, draw_M: FloatArray) -> FloatArray:
        """Load of each machine at this tick; level and swing follow the regime."""
        num_machines = len(draw_M)
        changes_M = self._regime_rng.random(num_machines) < 1.0 / _STAY_ROWS
        other_M = self._regime_rng.integers(0, len(_LEVELS), num_machines)
        self._regime_M = np.where(changes_M, other_M, self._regime_M)
        self.regimes.append(self._regime_M)
        self._level_M = self._level_M + _RATE * (_LEVELS[self._regime_M] - self._level_M)
        self._swing_M = self._swing_M + _RATE * (_SWINGS[self._regime_M] - self._swing_M)
        usual_M = super()._load(draw_M) - USUAL_LOAD
        return np.asarray(self._level_M + self._swing_M * usual_M)


def make_plant(
    name: str, seed: int = 0, num_machines: int = NUM_MACHINES, num_rows: int = NUM_ROWS
) -> Fleet:
    """A plant by the name of its palette; the same seed gives the same readings and incidents.

    Each machine runs for a time without a fault, then has a few, and from two fifths of the rows
    on one every 240 rows or so: the kinds in turn, on a random field of those that can show it.
    """
    plant_rng, fault_rng = seeded(name, seed)
    plant, palette = RegimePlant(num_machines=num_machines, rng=plant_rng), PALETTES[name]
    values_TKC = plant.advance(num_rows)
    incidents = _schedule(len(palette), num_machines, num_rows, fault_rng)
    for machine, start, stop, kind in incidents:
        inject = list(palette.values())[kind]
        readings_LC = values_TKC[start - _PAST_ROWS : stop, machine]
        _inject(inject, readings_LC, plant.noise_MC[machine], fault_rng)
    keys = tuple(f"{name}-{seed}-{key}" for key in machine_names(num_machines))
    columns = np.array(incidents, np.int64).reshape(-1, 4).T
    known = KnownIncidents(tuple(palette), *columns)
    values = np.round(values_TKC, DIGITS).astype(np.float32)
    return Fleet(name, keys, FIELDS, values, np.array(plant.regimes), known)


def seeded(name: str, seed: int) -> tuple[np.random.Generator, np.random.Generator]:
    """Sources of a plant's choices and of its incidents'; plants of one seed are others, too."""
    plant_rng, fault_rng = np.random.default_rng((list(PALETTES).index(name), seed)).spawn(2)
    return plant_rng, fault_rng


def _schedule(
    num_kinds: int, num_machines: int, num_rows: int, rng: np.random.Generator
) -> list[tuple[int, int, int, int]]:
    """(machine, start, stop, kind) of every incident, in the order of their beginnings."""
    found: list[tuple[int, int, int, int]] = []
    bag: list[int] = []
    seldom = int(_SELDOM_SHARE * num_rows)
    for machine in range(num_machines):
        start = int(rng.uniform(_FIRST_SHARE, _FIRST_SHARE + 0.1) * num_rows)
        while start + _INCIDENT_ROWS[1] < num_rows:
            bag = bag or rng.permutation(num_kinds).tolist()
            stop = start + int(rng.integers(*_INCIDENT_ROWS))
            found.append((machine, start, stop, bag.pop()))
            start = stop + int(rng.integers(*(_PAUSE_ROWS if stop > seldom else _SELDOM_ROWS)))
    return sorted(found, key=lambda incident: incident[1])


def _inject(
    kind: SensorKind | ProcessKind,
    readings_LC: FloatArray,
    noise_C: FloatArray,
    rng: np.random.Generator,
) -> None:
    """Put one incident into a machine's readings, of which the first are those before it."""
    size, faulty_LC = rng.uniform(*_SIZES), readings_LC[_PAST_ROWS:]
    if isinstance(kind, ProcessKind):
        for field, deviations, course in kind.effects:
            column = FIELDS.index(field)
            added_L = size * deviations * noise_C[column] * course(len(faulty_LC), rng)
            faulty_LC[:, column] += added_L
        return
    column = FIELDS.index(str(rng.choice(kind.fields)))
    healthy_L = faulty_LC[:, column].copy()
    segment = SensorSegment(
        healthy_L=healthy_L,
        past_D=readings_LC[:_PAST_ROWS, column].copy(),
        noise=float(noise_C[column]),
        rng=rng,
    )
    change_L = kind.shape(segment) - healthy_L
    faulty_LC[:, column] += (size if kind.scaled else 1.0) * change_L
