"""How soon a detector sees that a rate changes, and how often it errs where none does.

Streams of rare rows whose rate is stationary (independent, correlated, periodic, in bursts) or
changes in their middle. `python -m benchmarks.quality.drift [RATE]` prints
the table of docs/research-log.md, "Drift".

N = rows.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from river.drift import ADWIN, KSWIN, PageHinkley, binary

from streamssl.stream.drift import Series

NUM_ROWS, NUM_SEEDS = 100_000, 20
RATE = 0.01
MIDDLE = NUM_ROWS // 2
Rows = npt.NDArray[np.bool_]
Rates = npt.NDArray[np.float64]
Stream = Callable[[np.random.Generator, float], Rows]
Detector = Callable[[Rows], Iterable[int]]


def independent(of: Callable[[Rates], Rates]) -> Stream:
    """Rows that are rare by themselves, at a rate that is a function of the row's place."""
    place_N = np.arange(NUM_ROWS, dtype=np.float64)
    return lambda generator, rate: (
        generator.random(NUM_ROWS) < np.clip(rate * of(place_N), 0.0, 1.0)
    )


def correlated(memory: float, factor: float = 1.0) -> Stream:
    """Rare where a Gaussian AR(1) is high; the rate has another factor from the middle on."""

    def rows(generator: np.random.Generator, rate: float) -> Rows:
        noise_N = generator.normal(size=NUM_ROWS) * math.sqrt(1.0 - memory**2)
        value_N, value = np.empty(NUM_ROWS), 0.0
        for n, noise in enumerate(noise_N.tolist()):
            value = memory * value + noise
            value_N[n] = value
        bounds = np.quantile(generator.normal(size=10**6), [1.0 - rate, 1.0 - factor * rate])
        return np.concatenate([value_N[:MIDDLE] > bounds[0], value_N[MIDDLE:] > bounds[1]])

    return rows


def bursts(generator: np.random.Generator, rate: float) -> Rows:
    """Rare rows by themselves, and faults: one in 2,000 rows, of 5 to 1,000 (Pareto, 1.5)."""
    rare_N = generator.random(NUM_ROWS) < 0.7 * rate
    begin = int(generator.exponential(2_000.0))
    while begin < NUM_ROWS:
        length = int(min(5.0 * (1.0 - generator.random()) ** (-1.0 / 1.5), 1_000.0))
        rare_N[begin : begin + length] |= (
            generator.random(len(rare_N[begin : begin + length])) < 0.9
        )
        begin += length + int(generator.exponential(2_000.0))
    return rare_N


def wave(amplitude: float, period: int) -> Callable[[Rates], Rates]:
    """A factor that swings about 1."""
    return lambda place_N: 1.0 + amplitude * np.sin(2.0 * np.pi * place_N / period)


def step(factor: float) -> Callable[[Rates], Rates]:
    """A factor from the middle on."""
    return lambda place_N: np.where(place_N < MIDDLE, 1.0, factor)


def ramp(factor: float, length: int) -> Callable[[Rates], Rates]:
    """A factor that is reached so many rows after the middle."""
    return lambda place_N: 1.0 + (factor - 1.0) * np.clip((place_N - MIDDLE) / length, 0.0, 1.0)


def shifted(share: float, length: int) -> Stream:
    """From the middle on, a share of the rows is rare for so long: until the shift is learnt."""

    def rows(generator: np.random.Generator, rate: float) -> Rows:
        rare_N = generator.random(NUM_ROWS) < rate
        rare_N[MIDDLE : MIDDLE + length] |= generator.random(length) < share
        return rare_N

    return rows


STATIONARY: dict[str, Stream] = {
    "iid": independent(np.ones_like),
    "AR .98": correlated(0.98),
    "AR .998": correlated(0.998),
    "wave .8, 2,000": independent(wave(0.8, 2_000)),
    "wave .5, 20,000": independent(wave(0.5, 20_000)),
    "bursts": bursts,
}
CHANGING: dict[str, Stream] = {
    "x 2": independent(step(2.0)),
    "x 4": independent(step(4.0)),
    "/ 4": independent(step(0.25)),
    "shift of all": shifted(0.9, 1_500),
    "shift of 1 in 16": shifted(0.9 / 16, 12_000),
    "to x 4 in 10,000": independent(ramp(4.0, 10_000)),
    "to x 4 in 40,000": independent(ramp(4.0, 40_000)),
    "AR .98 x 2": correlated(0.98, 2.0),
}


def scaled(share: float, block: int) -> float:
    """2 sqrt(n) asin sqrt(share)."""
    return 2.0 * math.sqrt(block) * math.asin(math.sqrt(share))


def ours(block: int, sensitivity: float, *, plain: bool = False) -> Detector:
    """The product's rule on shares of blocks; `plain`: without the scale."""

    def detect(rare_N: Rows) -> Iterator[int]:
        series = Series(
            sensitivity=sensitivity, scale=(lambda x: x) if plain else lambda x: scaled(x, block)
        )
        for place, share in shares(rare_N, block):
            if series.feed(share, float(place)):
                yield place

    return detect


def theirs(make: Callable[[], Any], block: int = 0) -> Detector:
    """A detector of river's on scaled shares of blocks, or on the rows themselves."""

    def detect(rare_N: Rows) -> Iterator[int]:
        detector = make()
        fed: Iterable[tuple[int, Any]] = enumerate(rare_N.tolist(), start=1)
        if block:
            fed = ((place, scaled(share, block)) for place, share in shares(rare_N, block))
        for place, value in fed:
            detector.update(value)
            if detector.drift_detected:
                yield place

    return detect


def shares(rare_N: Rows, block: int) -> Iterator[tuple[int, float]]:
    """Where each block ends, and its share of rare rows."""
    share_K = rare_N[: len(rare_N) // block * block].reshape(-1, block).mean(1)
    return ((block * k, share) for k, share in enumerate(share_K.tolist(), start=1))


DETECTORS: dict[str, Detector] = {
    **{
        f"ADWIN, blocks of {block}, {sensitivity:g}": ours(block, sensitivity)
        for block in (128, 256, 512)
        for sensitivity in (2e-3, 1e-4, 1e-6)
    },
    "ADWIN, blocks of 256 not scaled, 0.002": ours(256, 2e-3, plain=True),
    "river's ADWIN class, blocks of 256, 0.0001": theirs(lambda: ADWIN(delta=1e-4, clock=1), 256),
    "Page-Hinkley, blocks of 256, 50": theirs(
        lambda: PageHinkley(threshold=50, delta=0.25, alpha=0.9999), 256
    ),
    "ADWIN, rows": theirs(ADWIN),
    "Page-Hinkley, rows": theirs(PageHinkley),
    "DDM, rows": theirs(binary.DDM),
    "EDDM, rows": theirs(binary.EDDM),
    "FHDDM, rows": theirs(binary.FHDDM),
    "HDDM_A, rows": theirs(binary.HDDMA),
    "HDDM_W, rows": theirs(binary.HDDMW),
    "KSWIN, blocks of 256, 0.0001": theirs(lambda: KSWIN(alpha=1e-4, seed=0), 256),
}


def made(streams: Mapping[str, Stream], rate: float) -> dict[str, list[Rows]]:
    """Every stream, several times."""
    return {
        name: [stream(np.random.default_rng((7, seed)), rate) for seed in range(NUM_SEEDS)]
        for name, stream in streams.items()
    }


def num_false(detect: Detector, streams: list[Rows]) -> str:
    """Mean number of drifts where there is none."""
    return f"{np.mean([len(list(detect(rare_N))) for rare_N in streams]):.1f}"


def delay(detect: Detector, streams: list[Rows]) -> str:
    """Median rows from the middle to the first drift after it; how often seen, if not always."""
    found = [next((p - MIDDLE for p in detect(s) if p > MIDDLE), None) for s in streams]
    seen = [rows for rows in found if rows is not None]
    if not seen:
        return "never"
    some = "" if len(seen) == len(found) else f" ({100 * len(seen) // len(found)} %)"
    return f"{int(np.median(seen)):,}{some}"


def main(rate: float) -> None:
    """Print the table of a rate."""
    still, moving = made(STATIONARY, rate), made(CHANGING, rate)
    write = sys.stdout.write
    write(f"| rate {rate:g} | " + " | ".join([*still, *moving]) + " |\n")
    write("| --- |" + " --- |" * (len(still) + len(moving)) + "\n")
    for name, detect in DETECTORS.items():
        cells = [num_false(detect, streams) for streams in still.values()]
        cells += [delay(detect, streams) for streams in moving.values()]
        write(f"| {name} | " + " | ".join(cells) + " |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else RATE)
