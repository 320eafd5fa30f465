"""How metrics are declared: each once, with its words, its labels and their known values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info

from streamssl.telemetry.histogram import ColumnHistogram

PREFIX = "streamssl_"
LATENCY_BUCKETS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
    *(2.5, 5.0, 10.0, 30.0, 60.0),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One metric of the catalogue.

    Attributes:
        name: As it is exported (a counter ends in `_total`).
        kind: `counter`, `gauge`, `histogram`, `info` or `enum`.
        labels: Names of the labels; never the Kafka key.
        values: Known values of its only label, where there are few.
    """

    name: str
    kind: str
    documentation: str
    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


class Catalogue:
    """Makes metrics on one registry and remembers what it made."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.entries: list[Entry] = []

    def counter(self, name: str, text: str, *labels: str, values: Sequence[str] = ()) -> Counter:
        """A count that only grows. Known label values start at 0, so that rates are seen."""
        metric = Counter(
            self._note(name, "counter", text, labels, values), text, labels, registry=self.registry
        )
        for value in values:
            metric.labels(value)
        return metric

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """A figure that goes up and down."""
        full = self._note(name, "gauge", text, labels)
        return Gauge(full, text, labels, registry=self.registry)

    def histogram(
        self,
        name: str,
        text: str,
        *labels: str,
        buckets: Sequence[float] = LATENCY_BUCKETS_S,
        values: Sequence[str] = (),
    ) -> Histogram:
        """A distribution observed a value at a time."""
        full = self._note(name, "histogram", text, labels, values)
        metric = Histogram(full, text, labels, buckets=buckets, registry=self.registry)
        for value in values:
            metric.labels(value)
        return metric

    def column_histogram(
        self, name: str, text: str, *, buckets: Sequence[float] = LATENCY_BUCKETS_S
    ) -> ColumnHistogram:
        """A distribution observed a column at a time."""
        full = self._note(name, "histogram", text)
        return ColumnHistogram(full, text, buckets=buckets, registry=self.registry)

    def info(self, name: str, text: str) -> Info:
        """Words about the process."""
        self._note(f"{name}_info", "info", text)
        return Info(PREFIX + name, text, registry=self.registry)

    def enum(self, name: str, text: str, states: Sequence[str]) -> Enum:
        """One of a few states; 1 for the current one."""
        full = self._note(name, "enum", text, (PREFIX + name,), states)
        return Enum(full, text, states=states, registry=self.registry)

    def _note(
        self,
        name: str,
        kind: str,
        text: str,
        labels: tuple[str, ...] = (),
        values: Sequence[str] = (),
    ) -> str:
        self.entries.append(Entry(PREFIX + name, kind, text, labels, tuple(values)))
        return PREFIX + name


def count_by_name(counter: Counter, names: Sequence[str], place_N: npt.NDArray[np.int64]) -> None:
    """Count how often each of the values of a counter's only label is named, by its place."""
    for name, num in zip(names, np.bincount(place_N, minlength=len(names)).tolist(), strict=True):
        counter.labels(name).inc(num)
