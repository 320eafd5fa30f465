"""Values as JSON has them: it knows no NaN and no infinity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def finite(value: Any) -> Any:
    """The same with None for every float that is no finite number, at any depth.

    Example:
        >>> finite({"loss": float("nan"), "lag": [3, float("inf")]})
        {'loss': None, 'lag': [3, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
