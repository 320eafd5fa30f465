"""A histogram that takes a whole column of values at once.

B = values, K = buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from streamssl.data.events import FloatArray


class ColumnHistogram(Collector):
    """Counts values in buckets; `observe` costs one NumPy pass, not one call a value.

    Args:
        name: Metric name without suffixes.
        documentation: Help text.
        buckets: Upper bounds, ascending, without infinity.
        registry: Where it is registered.

    Example:
        >>> histogram = ColumnHistogram("x", "Help.", buckets=(1.0, 2.0))
        >>> histogram.observe(np.array([0.5, 1.0, 9.0]))
        >>> next(iter(histogram.collect())).samples[0].value
        2.0
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry | None = None,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds_K = np.array(buckets, np.float64)
        # One tuple, replaced at once: a scrape from another thread sees a consistent pair.
        self._seen = (np.zeros(len(buckets) + 1, np.int64), 0.0)
        if registry is not None:
            registry.register(self)

    def observe(self, values_B: FloatArray) -> None:
        """Count `values_B` (none is NaN)."""
        counts_K, total = self._seen
        places_B = np.searchsorted(self._bounds_K, values_B)
        added_K = np.bincount(places_B, minlength=len(counts_K))
        self._seen = (counts_K + added_K, total + float(np.sum(values_B)))

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """The cumulative counts, as Prometheus wants them."""
        counts_K, total = self._seen
        bounds = [*(f"{bound:g}" for bound in self._bounds_K.tolist()), "+Inf"]
        cumulative = np.cumsum(counts_K).astype(np.float64).tolist()
        yield HistogramMetricFamily(
            self._name,
            self._documentation,
            buckets=list(zip(bounds, cumulative, strict=True)),
            sum_value=total,
        )
