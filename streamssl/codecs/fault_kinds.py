"""Which faults are one and the same, and which of them is the commonest."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

_T = TypeVar("_T")
MAX_KINDS = 32
MAX_KIND_CHARS = 200
# What differs between faults of one kind: figures, and the cell that a table's detail ends with.
_VARYING = re.compile(r"""\d+|(?<=': )['"].*""", re.DOTALL)


class FaultKind(NamedTuple):
    """What faults of one kind have in common.

    Attributes:
        reason: Of the dead letter.
        shape: Its detail without what differs from message to message.
    """

    reason: str
    shape: str


def fault_kind(reason: str, detail: str) -> FaultKind:
    """The kind of a fault.

    Example:
        >>> fault_kind("wrong_count", "expected 3 values, got 17").shape
        'expected # values, got #'
        >>> fault_kind("wrong_type", "column 'rpm': 'n/v'").shape
        "column 'rpm': #"
    """
    return FaultKind(reason, _VARYING.sub("#", detail[:MAX_KIND_CHARS]))


class KindCounts(Generic[_T]):
    """Counts kinds in bounded memory, with an example of each.

    Space-saving (Metwally et al., 2005): a new kind takes over the place and the count of the
    rarest where there is no room, so that none with over 1 / `MAX_KINDS` of all is missed.
    """

    def __init__(self) -> None:
        self._counts: dict[Hashable, int] = {}
        self._examples: dict[Hashable, _T] = {}

    def add(self, kind: Hashable, example: _T) -> None:
        """Count one more of a kind; the first one stays its example."""
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            rarest = min(self._counts, key=self._counts.__getitem__)
            self._counts[kind] = self._counts.pop(rarest)
            del self._examples[rarest]
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._examples.setdefault(kind, example)

    def commonest(self) -> tuple[_T, int] | None:
        """The example of the commonest kind and its count, None where there is none."""
        if not self._counts:
            return None
        kind = max(self._counts, key=self._counts.__getitem__)
        return self._examples[kind], self._counts[kind]

    def clear(self) -> None:
        """Forget everything: another minute begins."""
        self._counts.clear()
        self._examples.clear()
