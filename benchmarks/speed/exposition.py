"""The daemon's own figures: readings of /metrics, and what happened between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Label = tuple[tuple[str, str], ...]
_STAGE = "stage_duration_seconds_sum"


@dataclass(frozen=True, slots=True)
class Reading:
    """Every figure at one moment.

    Attributes:
        at_s: The reader's clock, in seconds.
        figures: By name (without `streamssl_`) and labels.
    """

    at_s: float
    figures: dict[tuple[str, Label], float]

    def total(self, name: str, **labels: str) -> float:
        """Sum of a metric's samples that carry `labels`; 0 where there is none."""
        wanted = labels.items()
        return sum(v for (n, own), v in self.figures.items() if n == name and wanted <= set(own))

    @property
    def events(self) -> int:
        """Events scored and committed so far."""
        return int(self.total("input_events_total", outcome="scored"))

    def stages(self) -> dict[str, float]:
        """Seconds spent in each stage so far."""
        return {
            dict(labels)["stage"]: value
            for (name, labels), value in self.figures.items()
            if name == _STAGE
        }


def parse(exposition: str, at_s: float) -> Reading:
    """Read an exposition.

    Example:
        >>> parse('streamssl_input_events_total{outcome="scored"} 7', 0.0).events
        7
    """
    return Reading(
        at_s,
        {
            (sample.name.removeprefix("streamssl_"), tuple(sorted(sample.labels.items()))): value
            for family in text_string_to_metric_families(exposition)
            for sample in family.samples
            if (value := float(sample.value)) == value
        },
    )


@dataclass(frozen=True, slots=True)
class Window:
    """From one reading to a later one."""

    first: Reading
    last: Reading

    @property
    def events(self) -> int:
        """Events scored and committed in between."""
        return self.last.events - self.first.events

    @property
    def seconds(self) -> float:
        """Seconds between the two readings."""
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
            r.total("learn_rows_total", outcome=outcome) for r in (self.first, self.last)
        )
        return last - first


def steady_window(
    readings: Sequence[Reading], num_events: int, begin: float = 0.3, end: float = 0.97
) -> Window | None:
    """The longest window between these shares of the events; None where readings are too few."""
    inside = [r for r in readings if begin * num_events <= r.events <= end * num_events]
    if len(inside) < 2 or inside[-1].events == inside[0].events:
        return None
    return Window(inside[0], inside[-1])
