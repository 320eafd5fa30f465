"""Streams of several machines: the public sets as keys of one stream, and its events.

T = rows of a machine, K = machines, C = channels, I = incidents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.quality.data import Series
from streamssl.data.events import EventBatch, Float32Array, IntArray

FLEET_SETS = ("smd", "asd")
MOST_ROWS = 8_000


@dataclass(frozen=True, slots=True)
class KnownIncidents:
    """Faults that were put into a stream, in the order of their beginnings.

    Attributes:
        kinds: Names of the kinds.
        machine_I: Index of the machine.
        start_I, stop_I: First row of the machine, and the one after its last.
        kind_I: Index of the kind.
    """

    kinds: tuple[str, ...]
    machine_I: IntArray
    start_I: IntArray
    stop_I: IntArray
    kind_I: IntArray


@dataclass(frozen=True, slots=True)
class Fleet:
    """One stream whose keys are machines that report in turn; labels are for probes only.

    Attributes:
        name: What the report calls it.
        keys: Names of the K machines.
        fields: Names of the C channels.
        values_TKC: `[T, K, C]` readings, NaN = missing.
        regime_TK: `[T, K]` load regime of a machine, None where nobody knows.
        incidents: None where nobody knows.
    """

    name: str
    keys: tuple[str, ...]
    fields: tuple[str, ...]
    values_TKC: Float32Array
    regime_TK: IntArray | None = None
    incidents: KnownIncidents | None = None


def as_fleet(name: str, series: list[Series], most_rows: int = MOST_ROWS) -> Fleet:
    """Series of the same channels as keys of one stream, as long as the shortest, at most 8,000."""
    num_rows = min(most_rows, *(len(one.values_NC) for one in series))
    values_TKC = np.stack([one.values_NC[:num_rows] for one in series], axis=1)
    return Fleet(name, tuple(one.name for one in series), series[0].fields, values_TKC)


def events(fleet: Fleet, start: int, stop: int, first_row: int | None = None) -> EventBatch:
    """Rows `start` to `stop` of every machine, machine by machine within a row.

    Args:
        fleet: The stream.
        start: First row.
        stop: The row after the last.
        first_row: The place in the stream that the events say they are at; None: their own.
    """
    values_BC = fleet.values_TKC[start:stop].reshape(-1, len(fleet.fields))
    first = start if first_row is None else first_row
    keys = list(fleet.keys) * (stop - start)
    offset_B = np.arange(len(keys)) + first * len(fleet.keys)
    zero_B = np.zeros(len(keys), np.int64)
    return EventBatch(
        topic=fleet.name,
        partition=zero_B,
        offset=offset_B,
        index=zero_B,
        keys=pa.array(keys, pa.string()),
        event_time=offset_B / len(fleet.keys),
        fields=fleet.fields,
        values_BC=values_BC.astype(np.float64),
    )
