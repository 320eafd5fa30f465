"""The bars: ratios within one run, and whether they are met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.results import Keys, Latency, Quantiles, Rate

JSON, PACKED, ARROW = "ours-json", "ours-packed", "ours-arrow"
FLOOR, QUIX = "floor-json", "quix-hst"
REPLAY, REPLAY_CORE, RIVER = "replay", "replay-core", "hst-38"
TRAINED_PER_EVENT = 0.25
STALL_MS = 300.0
FLAT = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bar, judged.

    Attributes:
        bar: What is asked.
        measured: What this run gave, in words; empty where something was not measured.
        passed: None where something was not measured.
    """

    bar: str
    measured: str
    passed: bool | None


@dataclass(frozen=True, slots=True)
class RatioBar:
    """One row must be at least so many times another."""

    bar: str
    of: str
    to: str
    least: float

    def judge(self, rates: Mapping[str, Rate]) -> Verdict:
        """Compare the rows, where both are there."""
        if self.of not in rates or self.to not in rates:
            return Verdict(self.bar, "", None)
        of, to = rates[self.of], rates[self.to]
        ratio = of.per_s / max(to.per_s, 1e-9)
        measured = f"{ratio:.2f} ({of.per_s:,.0f} / {to.per_s:,.0f} events/s)"
        return Verdict(self.bar, measured, ratio >= self.least and of.complete and to.complete)


RATIOS = (
    RatioBar("JSON, default outputs: ≥ 0.6 of the bare kafka-python floor", JSON, FLOOR, 0.6),
    RatioBar("JSON, default outputs: ≥ 1.3 x Quix Streams + HalfSpaceTrees", JSON, QUIX, 1.3),
    RatioBar("all outputs packed: ≥ 3 x Quix Streams + HalfSpaceTrees", PACKED, QUIX, 3.0),
    RatioBar("Arrow in, packed out: ≥ 3 x our JSON figure", ARROW, JSON, 3.0),
    RatioBar("`replay`, 38 channels: ≥ 4 x river HalfSpaceTrees", REPLAY, RIVER, 4.0),
    RatioBar("the same, statistical core alone: ≥ 8 x", REPLAY_CORE, RIVER, 8.0),
)


def judge(parts: Mapping[str, Any]) -> list[Verdict]:
    """Every bar, judged by the parts that are there."""
    rates = {
        row.id: row for name in ("kafka", "memory") if name in parts for row in parts[name].rows
    }
    verdicts = [ratio.judge(rates) for ratio in RATIOS]
    others: tuple[tuple[str, Callable[[Any], Iterable[Verdict]]], ...] = (
        ("latency", latency_verdicts),
        ("keys", keys_verdicts),
    )
    for name, verdicts_of in others:
        if name in parts:
            verdicts += verdicts_of(parts[name])
    return [trained_verdict(rates), *verdicts]


def trained_verdict(rates: Mapping[str, Rate]) -> Verdict:
    """Whether learning kept up while our JSON row was measured."""
    bar = "learning: at least one trained sample per 4 events"
    row = rates.get(JSON)
    if row is None or row.trained_per_event is None:
        return Verdict(bar, "", None)
    every = 1.0 / max(row.trained_per_event, 1e-9)
    # Steps come in whole batches, so a window may hold a little less than its share.
    return Verdict(bar, f"one per {every:.2f} events", every <= 1.03 / TRAINED_PER_EVENT)


def latency_verdicts(latency: Latency) -> list[Verdict]:
    """The latency bars; a stall is the slowest single event of the window."""
    whole = next((q for q in latency.quantiles if q.events), None)
    bars = (
        ("half load: p50 ≤ 100 ms", lambda q: q.p50_ms, 100.0),
        ("half load: p99 ≤ 250 ms", lambda q: q.p99_ms, 250.0),
        ("half load: nothing above 300 ms", lambda q: q.max_ms, STALL_MS),
    )
    return [_latency_verdict(bar, whole, figure, most) for bar, figure, most in bars]


def keys_verdicts(keys: Keys) -> list[Verdict]:
    """Whether the cost per event is flat over the numbers of keys."""
    costs = [row.seconds_per_event for row in keys.rows]
    counts = [row.keys for row in keys.rows]
    bar = "cost per event from 10 to 100,000 keys: flat within ± 20 %"
    if len(costs) < 2:
        return [Verdict(bar, "", None)]
    middle = (min(costs) + max(costs)) / 2
    spread = max(costs) / middle - 1.0
    measured = f"± {spread:.0%} from {min(counts):,} to {max(counts):,} keys"
    return [Verdict(bar, measured, spread <= FLAT if max(counts) >= 100_000 else None)]


def _latency_verdict(
    bar: str, whole: Quantiles | None, figure: Callable[[Quantiles], float], most: float
) -> Verdict:
    if whole is None:
        return Verdict(bar, "", None)
    return Verdict(bar, f"{figure(whole):,.0f} ms", figure(whole) <= most)
