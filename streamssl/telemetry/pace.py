"""How often a kind of line may be told: so many a minute, and then one that counts the rest."""

from __future__ import annotations

from collections.abc import Callable

MINUTE_S = 60.0


class Pace:
    """Counts what is told in a minute, and what is not.

    Args:
        most: Lines of a minute.
        clock: Seconds that only grow.

    Example:
        >>> pace = Pace(2, clock=lambda: 0.0)
        >>> [pace.admits() for _ in range(3)]
        [True, True, False]
        >>> pace.take_held_back(ending=True)
        1
    """

    def __init__(self, most: int, *, clock: Callable[[], float]) -> None:
        self._most, self._clock = most, clock
        self._began_s = float("-inf")
        self._num_told = self._num_held_back = 0

    def admits(self) -> bool:
        """Whether one more line may be told now; else it counts as held back."""
        if self._is_over() and not self._num_held_back:
            self._began_s, self._num_told = self._clock(), 0
        if self._num_told < self._most:
            self._num_told += 1
            return True
        self._num_held_back += 1
        return False

    def take_held_back(self, *, ending: bool = False) -> int:
        """Lines held back in the minute that is over (or the one that is not, at the end)."""
        if not (self._num_held_back and (ending or self._is_over())):
            return 0
        num, self._num_held_back = self._num_held_back, 0
        return num

    def _is_over(self) -> bool:
        return self._clock() - self._began_s >= MINUTE_S
