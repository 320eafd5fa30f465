"""Which columns the events of a stream have."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Schema(NamedTuple):
    """Which columns the events of a stream have; the same for a stream's whole life.

    Attributes:
        fields: Names of the numbers.
        texts: Names of the text columns: categories, further entities, groups.
    """

    fields: tuple[str, ...]
    texts: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns, those of the numbers first."""
        return self.fields + self.texts
