"""When what lasts is the new normal: one rule for statistics, levels and incidents."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

# docs/research-log.md, "Constants of the arithmetic"
ORDINARY_SHARE = 0.25


class Acceptance(NamedTuple):
    """Rows after which a shift is accepted: min(max(least, share n), most), n those of before.

    Example:
        >>> Acceptance(500, 0.2, 3_000).after(np.array([100, 5_000, 100_000]))
        array([ 500., 1000., 3000.])
    """

    least: int = 500
    share: float = 0.2
    most: int = 3_000

    def after(self, rows: Any) -> Any:
        """Rows of a shift that are enough, by the rows before it."""
        return np.minimum(np.maximum(self.least, self.share * rows), max(self.least, self.most))


ACCEPTANCE = Acceptance()


def lasting(
    count: Any, num_other: Any, num_ordinary: Any, ordinary_share: float = ORDINARY_SHARE
) -> Any:
    """How far something lasts already: c <- max(0, c + rows elsewhere - share x ordinary rows).

    Args:
        count: c.
        num_other: Rows elsewhere.
        num_ordinary: Rows as usual.
        ordinary_share: What each of these takes back.
    """
    return np.maximum(0.0, count + num_other - ordinary_share * num_ordinary)
