"""How much memory processes hold."""

from __future__ import annotations

import math
import os
from pathlib import Path


def resident_bytes(pid: int) -> float:
    """Resident memory of a process; NaN where it has ended, or there is no `/proc`.

    Example:
        >>> resident_bytes(-1)
        nan
    """
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return math.nan
    return float(pages * os.sysconf("SC_PAGE_SIZE"))
