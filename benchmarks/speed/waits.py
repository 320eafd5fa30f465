"""How long events waited, and what the daemon did meanwhile.

N = events.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.speed.results import Quantiles
from benchmarks.speed.scrapes import Scrape
from streamssl.data.events import BoolArray, FloatArray, Message

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Observed:
    """When each event was appended, and when its result could be read, in seconds."""

    append_N: FloatArray
    readable_N: FloatArray


def match(
    appended: Iterable[Message], receipts: Iterable[tuple[int, float]], num_skipped: int = 0
) -> Observed:
    """Join appends and receipts: a partition's results come in the order of its input.

    Args:
        appended: The input topic.
        receipts: Partition of each result, and when it was read, in order.
        num_skipped: First events that do not count.
    """
    append: dict[int, list[float]] = {}
    for message in appended:
        append.setdefault(message.partition, []).append(message.timestamp_ms / 1e3)
    readable: dict[int, list[float]] = {}
    for partition, at_s in receipts:
        readable.setdefault(partition, []).append(at_s)
    pairs = [
        pair
        for partition, moments in append.items()
        for pair in zip(moments, readable.get(partition, []), strict=False)
    ]
    append_N, readable_N = np.array(sorted(pairs)).reshape(-1, 2).T
    return Observed(append_N[num_skipped:], readable_N[num_skipped:])


def checkpoint_spans(scrapes: Iterable[Scrape]) -> list[Span]:
    """When checkpoints were written, from their moment of success and their duration."""
    spans: list[Span] = []
    before = 0.0
    for scrape in scrapes:
        seconds = scrape.total("checkpoint_duration_seconds_sum")
        if seconds > before:
            done_s = scrape.total("checkpoint_last_success_timestamp_seconds")
            spans.append((done_s - (seconds - before), done_s))
        before = seconds
    return spans


def burst_spans(scrapes: Sequence[Scrape], steps: int) -> list[Span]:
    """From the last scrape without a training step to the first with the whole burst."""
    counts = [scrape.total("learn_steps_total", outcome="applied") for scrape in scrapes]
    before = [s.at_s for s, count in zip(scrapes, counts, strict=True) if count == 0]
    after = [s.at_s for s, count in zip(scrapes, counts, strict=True) if count >= steps]
    return [(before[-1], after[0])] if before and after else []


def quantiles(name: str, observed: Observed, chosen_N: BoolArray) -> Quantiles:
    """Latencies of the chosen events, in milliseconds."""
    latency_N = 1e3 * (observed.readable_N - observed.append_N)[chosen_N]
    if not len(latency_N):
        return Quantiles(name=name, events=0, p50_ms=0.0, p99_ms=0.0, max_ms=0.0)
    p50, p99 = np.quantile(latency_N, (0.5, 0.99)).tolist()
    most = float(latency_N.max())
    return Quantiles(name=name, events=len(latency_N), p50_ms=p50, p99_ms=p99, max_ms=most)


def during(observed: Observed, spans: Iterable[Span]) -> BoolArray:
    """`[N]` whether the event waited while one of the spans lasted."""
    chosen_N = np.zeros(len(observed.append_N), bool)
    for begin, end in spans:
        chosen_N |= (observed.append_N <= end) & (observed.readable_N >= begin)
    return chosen_N
