"""The alert budget: how many alerts the user is willing to get."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_PER_DAY = re.compile(r"\s*([0-9.eE+-]+)\s*/\s*day\s*")


@dataclass(frozen=True, slots=True)
class Budget:
    """Alerts allowed, in one of two units.

    Attributes:
        share: Share of events, in (0, 1); None where the budget is given per day.
        per_day: Incidents per day of event time, > 0; None where it is a share.
    """

    share: float | None = None
    per_day: float | None = None

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"{self.share:g}" if self.per_day is None else f"{self.per_day:g}/day"


def parse_budget(value: float | str) -> Budget:
    """Read `alerts.budget`.

    Raises:
        ValueError: Neither a share in (0, 1) nor a positive number followed by `/day`.

    Example:
        >>> parse_budget(0.001)
        Budget(share=0.001, per_day=None)
        >>> parse_budget("20/day")
        Budget(share=None, per_day=20.0)
    """
    match = _PER_DAY.fullmatch(value) if isinstance(value, str) else None
    try:
        number = float(match[1] if match else value)
    except ValueError:
        number = math.nan
    if match and 0.0 < number < math.inf:
        return Budget(per_day=number)
    if not match and 0.0 < number < 1.0:
        return Budget(share=number)
    raise ValueError("must be a share of events between 0 and 1, or incidents a day as `20/day`")
