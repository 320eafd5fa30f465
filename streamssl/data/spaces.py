"""Spaces that embeddings lie in: named slices of the vector, and how one follows another.

N = vectors, D = dimensions of a slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from streamssl.data.events import Float32Array, FloatArray

FAULT = "fault"  # the slice in which incidents are told apart, where there is one
NETWORK = "network"  # the slice of the networks


class VectorSlice(NamedTuple):
    """A named part of the embedding: columns from `begin` up to and without `end`."""

    name: str
    begin: int
    end: int


class SliceMap(NamedTuple):
    """What carries a slice of vectors from the space before: new = old @ weight + bias.

    Attributes:
        name: Of the slice.
        weight: `[D, D]`, a row for each old dimension.
        bias: `[D]`.
    """

    name: str
    weight: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]


class SpaceOpening(NamedTuple):
    """Why a space began, and how vectors of the one before are carried over.

    Attributes:
        space: Its name.
        previous: Name of the space before; None for the first.
        reason: `warm-up` (something was solved or trained for the first time), `doubling` (of the
            rows learnt) or `shift` (of what is normal).
        slices: Of the vector.
        maps: Of the slices that can be carried; no map, no common ground.
        anchor_cosine: Median cosine of events in both spaces, after the maps; None where unknown.
        anchor_cosine_unmapped: The same without the maps.
    """

    space: str
    previous: str | None
    reason: str
    slices: tuple[VectorSlice, ...]
    maps: tuple[SliceMap, ...] = ()
    anchor_cosine: float | None = None
    anchor_cosine_unmapped: float | None = None


def incident_slice(slices: Sequence[VectorSlice]) -> slice:
    """The columns by which incidents are told apart: those of `fault`, or all where it is not."""
    found = {part.name: part for part in slices}
    if FAULT in found:
        return slice(found[FAULT].begin, found[FAULT].end)
    return slice(0, slices[-1].end if slices else 0)


def carries(opening: SpaceOpening, columns: slice) -> bool:
    """Whether every slice that lies in some columns of the vector has a map."""
    inside = {p.name for p in opening.slices if columns.start <= p.begin and p.end <= columns.stop}
    return inside <= {found.name for found in opening.maps}


def carried(
    vector_ND: Float32Array,
    opening: SpaceOpening,
    columns: slice | None = None,
    rows_N1: FloatArray | float = 1.0,
) -> Float32Array:
    """`[N, D]` vectors of the space before in the new one; slices without a map stay as they are.

    Args:
        vector_ND: The vectors.
        opening: Of the new space.
        columns: Which columns of whole vectors they are; None for all.
        rows_N1: Of how many vectors each is the sum.
    """
    begin, result = (columns.start if columns else 0), vector_ND.copy()
    places = {part.name: (part.begin - begin, part.end - begin) for part in opening.slices}
    for found in opening.maps:
        first, last = places[found.name]
        if first >= 0 and last <= vector_ND.shape[1]:
            moved_ND = vector_ND[:, first:last] @ np.array(found.weight)
            result[:, first:last] = moved_ND + rows_N1 * np.array(found.bias)
    return result
