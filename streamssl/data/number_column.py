"""The numbers of one field in a stream's first events, and how they move from event to event.

N = sampled events that have a number there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamssl.data.schema import FloatArray, IntArray

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@dataclass(frozen=True, slots=True, eq=False)
class NumberColumn:
    """The numbers of one field, and where they came from.

    Attributes:
        name: Of the field.
        values_N: Its numbers.
        row_N: Places of their events among all that were sampled.
        partition_N: Partitions of their events.
        key_N: A number for each key of a partition.
    """

    name: str
    values_N: FloatArray
    row_N: IntArray
    partition_N: IntArray
    key_N: IntArray

    def words(self) -> set[str]:
        """The words that the name is made of, in lower case."""
        return {word.lower() for word in _WORD.findall(self.name)}

    def is_whole(self) -> bool:
        """Whether all are whole numbers, whatever their type."""
        return bool((self.values_N == np.round(self.values_N)).all())

    def steps(self) -> Iterator[FloatArray]:
        """Differences from value to value, within each key and within each partition."""
        for groups in self.grouped_steps():
            yield np.concatenate([np.zeros(0), *groups])

    def grouped_steps(self) -> Iterator[list[FloatArray]]:
        """Differences from value to value of each key, and then of each partition."""
        for group_N in (self.key_N, self.partition_N):
            groups = np.unique(group_N).tolist()
            yield [np.diff(self.values_N[group_N == group]) for group in groups]

    def rounding(self) -> float:
        """How far a difference may be off by the floating-point type of the values."""
        with np.errstate(over="ignore"):
            is_single = bool((self.values_N.astype(np.float32) == self.values_N).all())
        kind = np.float32 if is_single and not self.is_whole() else np.float64
        return float(4 * np.finfo(kind).eps * np.abs(self.values_N).max())
