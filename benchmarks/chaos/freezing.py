"""What can be stopped where it stands, and let go on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager


class Freezable(ABC):
    """A process that nobody's goodbye reaches while it is frozen: connections stay open."""

    @abstractmethod
    def freeze(self) -> None:
        """Stop it where it stands, and nobody answers."""

    @abstractmethod
    def thaw(self) -> None:
        """Let it go on, with all that was sent to it meanwhile."""

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Frozen while the body runs."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()
