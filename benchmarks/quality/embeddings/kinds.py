"""Kinds of faults for generated plants: of one sensor, and of the process behind several.

Two palettes without a kind in common, so that what was built on the first can be tried on kinds
that nobody had in mind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.quality.embeddings.shapes import (
    Course,
    coarse,
    held,
    kick,
    loose,
    mirrored,
    ripple,
    rippling,
    rough,
    saturated,
    slowly,
    sluggish,
    soon,
    square,
    steep,
)
from streamssl.demo.sensor.faults import KINDS, LOAD_FIELDS, Shape
from streamssl.demo.sensor.plant import FIELDS


@dataclass(frozen=True, slots=True)
class SensorKind:
    """A fault of one sensor, whatever the process does.

    Attributes:
        shape: Faulty readings for healthy ones.
        fields: Those that it can be seen on.
        scaled: Whether the size of an incident varies; the others have none.
    """

    shape: Shape
    fields: tuple[str, ...] = FIELDS
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class ProcessKind:
    """A fault of the machine, seen on several fields at once.

    Attributes:
        effects: (field, deviations of its noise, course over the incident), each added.
    """

    effects: tuple[tuple[str, float, Course], ...]


Palette = Mapping[str, SensorKind | ProcessKind]


# The demo's kinds whose size can vary.
_SCALED = ("spike_burst", "drift", "level_shift", "noise_burst")
FIRST_PALETTE: Palette = {
    **{
        name: SensorKind(shape, fields, scaled=name in _SCALED)
        for name, (shape, _, fields) in KINDS.items()
    },
    "bearing": ProcessKind((("vibration", 8, soon), ("bearing_temperature", 10, slowly))),
    "leak": ProcessKind((("flow", 9, soon), ("pressure", -9, soon))),
    "clog": ProcessKind((("flow", -9, soon), ("pressure", 9, soon))),
    "sag": ProcessKind((("voltage", -9, soon), ("current", 9, soon))),
    "cooling": ProcessKind((("temperature", 14, slowly), ("bearing_temperature", 7, slowly))),
}
SECOND_PALETTE: Palette = {
    "steep": SensorKind(steep, LOAD_FIELDS),
    "coarse": SensorKind(coarse),
    "ripple": SensorKind(ripple, scaled=True),
    "square": SensorKind(square, scaled=True),
    "saturated": SensorKind(saturated, LOAD_FIELDS),
    "mirrored": SensorKind(mirrored, LOAD_FIELDS),
    "held": SensorKind(held, LOAD_FIELDS),
    "sluggish": SensorKind(sluggish, LOAD_FIELDS),
    "kick": SensorKind(kick, scaled=True),
    "loose": SensorKind(loose),
    "imbalance": ProcessKind((("vibration", 8, rippling), ("rpm", 4, rippling))),
    "cavitation": ProcessKind((("flow", 6, rough), ("pressure", 6, rough))),
    "friction": ProcessKind(
        (("torque", 8, soon), ("current", 8, soon), ("bearing_temperature", 10, slowly))
    ),
    "slip": ProcessKind((("rpm", -9, soon), ("flow", -9, soon))),
    "phase": ProcessKind((("voltage", 8, rippling), ("current", 6, rough))),
}
