"""Where a scenario takes place: a broker, a folder, and names that nobody else uses."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.chaos.broker import ChaosBroker
from benchmarks.chaos.deployment import Broker, Deployment

_numbers = itertools.count()


@dataclass(frozen=True)
class Site:
    """A scenario's own place.

    Attributes:
        broker: Shared with others: it must be left as it is.
        folder: For state, logs and what else lies about.
    """

    broker: Broker
    folder: Path
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def name(self, word: str) -> str:
        """A name that nobody else uses."""
        return f"{word}-{self.run}-{next(_numbers)}"

    def deployment(
        self, sections: dict[str, Any], *, broker: Broker | None = None, **settings: Any
    ) -> Deployment:
        """An application on the shared broker, or on another."""
        folder = self.folder / self.name("app")
        return Deployment(broker or self.broker, self.name, folder, sections, **settings)

    @contextmanager
    def own_broker(self) -> Iterator[ChaosBroker]:
        """A broker that the scenario may do anything to."""
        broker = ChaosBroker()
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()  # its data are thrown away: nothing is worth an orderly end
            broker.stop()
