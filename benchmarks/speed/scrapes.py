"""The daemon's own figures: scrapes of /metrics, and what happened between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamssl.devkit.exposition import samples, total


@dataclass(frozen=True, slots=True)
class Scrape:
    """Every figure at one moment.

    Attributes:
        at_s: The reader's clock, in seconds.
        exposition: Prometheus text as the daemon wrote it.

    Example:
        >>> Scrape(0.0, 'streamssl_input_events_total{outcome="scored"} 7').events
        7
    """

    at_s: float
    exposition: str

    def total(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that carry `labels`; 0 where there is none."""
        return total(self.exposition, name, 0.0, **labels)

    @property
    def events(self) -> int:
        """Events scored and committed so far."""
        return int(self.total("input_events_total", outcome="scored"))

    def stages(self) -> dict[str, float]:
        """Seconds spent in each stage so far."""
        found = samples(self.exposition, "stage_duration_seconds_sum")
        return {labels["stage"]: value for labels, value in found}


@dataclass(frozen=True, slots=True)
class Window:
    """From one scrape to a later one."""

    first: Scrape
    last: Scrape

    @property
    def events(self) -> int:
        """Events scored and committed in between."""
        return self.last.events - self.first.events

    @property
    def seconds(self) -> float:
        """Seconds between the two scrapes."""
        return self.last.at_s - self.first.at_s

    def stages(self) -> dict[str, float]:
        """Seconds spent in each stage in between."""
        before = self.first.stages()
        return {name: value - before.get(name, 0.0) for name, value in self.last.stages().items()}

    def rows_per_closed_row(self, outcome: str) -> float:
        """Rows of an outcome of learning, per row of the epochs that ended in between."""
        closed = self._learn_rows("learnt") + self._learn_rows("gated")
        return self._learn_rows(outcome) / max(closed, 1.0)

    def _learn_rows(self, outcome: str) -> float:
        first, last = (
            s.total("learn_rows_total", outcome=outcome) for s in (self.first, self.last)
        )
        return last - first


def steady_window(
    scrapes: Sequence[Scrape], num_events: int, begin: float = 0.3, end: float = 0.97
) -> Window | None:
    """The longest window between these shares of the events; None where scrapes are too few."""
    inside = [s for s in scrapes if begin * num_events <= s.events <= end * num_events]
    if len(inside) < 2 or inside[-1].events == inside[0].events:
        return None
    return Window(inside[0], inside[-1])
