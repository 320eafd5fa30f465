"""What of the stream has drifted: river's ADWIN over the share of rare scores and over the losses.

A detector is a function of the numbers that are kept of its series: a restored one is fed them
again, and is the same to the bit. So the memory of a series is bounded, and no detector is saved.

B = events, N = numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np

# ADWIN itself. `river.drift` around it loads scipy, and pandas where it is installed: 100 MB.
from river._river_rust.drift import AdaptiveWindowing

from streamssl.config.sections import DriftConfig
from streamssl.data.drift import LOSS, SCORES, Drift
from streamssl.data.results import OWN
from streamssl.scorers.scored import Scored

# docs/research-log.md, "Constants of the arithmetic"
RARE = 0.01
BLOCK_ROWS = 256
MOST_NUMBERS = 1_024
MAX_BUCKETS, LEAST_NUMBERS, FIRST_NUMBERS = 5, 5, 10
LOSS_SCALE = 20.0
LEAST_LOSS = 1e-9


class Change(NamedTuple):
    """The level of a series before and after a moment in event time, in the series' own unit."""

    since: float
    before: float
    after: float


class Series:
    """The newest numbers of a series, those since its level changed last.

    ADWIN (Bifet & Gavaldà 2007, https://doi.org/10.1137/1.9781611972771.42) compares the means of
    all cuts of its window in two: they differ where |m_0 - m_1| >= sqrt(2/m v ln(2/d)) + 2/(3m)
    ln(2/d), 1/m = 1/n_0 + 1/n_1, d = delta / ln n, v the window's variance. It then cuts off no
    more than it must, and tells the same change again and again: where two levels meet is found
    here.

    Args:
        sensitivity: ADWIN's delta.
        scale: Makes of a number one whose ordinary deviation is about 1: the second summand above
            is for such.
    """

    def __init__(self, *, sensitivity: float, scale: Callable[[float], float]) -> None:
        self._sensitivity, self._scale = sensitivity, scale
        self._kept: list[tuple[float, float]] = []
        self._forget(0)

    def feed(self, number: float, time: float) -> Change | None:
        """Take the next number, and say whether the level is another one since a while.

        Args:
            number: In the series' own unit.
            time: Event time of what it is of, in seconds.
        """
        self._kept.append((number, time))
        if self._window.update(self._scale(number)):
            gone = self._cut(len(self._kept))
            before, after = self._kept[:gone], self._kept[gone:]
            self._forget(gone)
            return Change(after[0][1], *(fmean(n for n, _ in side) for side in (before, after)))
        if len(self._kept) > MOST_NUMBERS:
            self._forget(len(self._kept) - MOST_NUMBERS // 2)
        return None

    def numbers(self) -> list[list[float]]:
        """`[N, 2]` the numbers that are kept, each with its time."""
        return [list(entry) for entry in self._kept]

    def restore(self, numbers: list[list[float]]) -> None:
        """Go on from what `numbers` gave, bit for bit where the sensitivity is the same."""
        self._kept = [(number, time) for number, time in numbers]
        self._forget(0)

    def _forget(self, gone: int) -> None:
        """Forget the oldest numbers, and let a new detector see those that stay.

        What looks like a change among these is over: what is before it is forgotten, too.
        """
        first: int | None = gone
        while first is not None:
            self._kept = self._kept[first:]
            self._window = AdaptiveWindowing(
                self._sensitivity, 1, MAX_BUCKETS, LEAST_NUMBERS, FIRST_NUMBERS
            )
            first = next(
                (
                    self._cut(count)
                    for count, (number, _) in enumerate(self._kept, start=1)
                    if self._window.update(self._scale(number))
                ),
                None,
            )

    def _cut(self, num_fed: int) -> int:
        """How many of the numbers that were fed are of the level before the change.

        Where |m_0 - m_1| sqrt(n_0 n_1 / n) is largest: the likeliest place of one step in noise.
        """
        sum_N = np.cumsum([self._scale(number) for number, _ in self._kept[:num_fed]])
        n_0 = np.arange(LEAST_NUMBERS, num_fed)
        n_1, sum_0 = num_fed - n_0, sum_N[n_0 - 1]
        gap = np.abs(sum_0 / n_0 - (sum_N[-1] - sum_0) / n_1) * np.sqrt(n_0 * n_1 / num_fed)
        return int(n_0[gap.argmax()])


class DriftWatch:
    """Looks at every epoch's end whether scores or losses have another level than before.

    Of scores it is the share of rows whose p-value is at most .01, in blocks of 256 rows that no
    epoch and no order of partitions bounds: rows of calibrated keys, in the order of event time.
    Of an objective's loss, after the first training burst, only a rise is a drift: learning lowers
    it.

    Args:
        config: Whether it looks at all, and how closely.

    Attributes:
        found: What drifted as the last epoch ended.
    """

    def __init__(self, config: DriftConfig) -> None:
        self._enabled, self._sensitivity = config.enabled, config.sensitivity
        self.begin()

    def begin(self) -> None:
        """Know nothing: another stream begins."""
        self.found: tuple[Drift, ...] = ()
        self._scores = Series(sensitivity=self._sensitivity, scale=_scaled_share)
        self._open = [0, 0]  # Rows of the block that is not full yet, and the rare ones.
        self._losses: dict[str, Series] = {}

    def learn(self, rows: Scored, losses: Mapping[str, float], epoch: int) -> tuple[Drift, ...]:
        """Take an epoch's rows, in (partition, offset, index) order, and its losses.

        Args:
            rows: As they were judged; at least one.
            losses: Of the objectives whose turn it was, none before the first burst is over.
            epoch: That ends.

        Returns:
            What drifted.
        """
        if not self._enabled:
            return ()
        now_s = float(np.median(rows.event_time_B))
        fed = [(SCORES, self._scores, *block) for block in self._blocks(rows)]
        for name, loss in sorted(losses.items()):
            fed.append((f"{LOSS}{name}", self._loss(name), loss, now_s))
        found = [(what, time, series.feed(number, time)) for what, series, number, time in fed]
        self.found = tuple(
            Drift(what, epoch, time, *change)
            for what, time, change in found
            if change and (what == SCORES or change.after > change.before)
        )
        return self.found

    def state_dict(self) -> dict[str, Any]:
        """The numbers that are kept, and what was found last."""
        return {
            "scores": _as_array(self._scores),
            "open": list(self._open),
            "losses": {name: _as_array(series) for name, series in sorted(self._losses.items())},
            "found": [list(drift) for drift in self.found],
        }

    def load_state_dict(self, state: Mapping[str, Any] | None) -> None:
        """Take over what `state_dict` gave; None, of before there was any, begins anew."""
        if state is None or not self._enabled:
            return
        self._scores.restore(np.asarray(state["scores"]).tolist())
        self._open = [int(count) for count in state["open"]]
        for name, numbers in state["losses"].items():
            self._loss(name).restore(np.asarray(numbers).tolist())
        self.found = tuple(Drift(*drift) for drift in state["found"])

    def _blocks(self, rows: Scored) -> list[tuple[float, float]]:
        """Share of rare rows, and the middle's event time, of every block that these rows fill.

        The rest waits for more. A clock that is far ahead spoils the time of an epoch's last block.
        """
        judged = np.flatnonzero(rows.warming_B == OWN)
        judged = judged[np.argsort(rows.event_time_B[judged], kind="stable")]
        rare_B, time_B = rows.p_B[judged] <= RARE, rows.event_time_B[judged]
        num_open, num_rare = self._open
        rare_before = num_rare + np.concatenate([[0], np.cumsum(rare_B)])
        ends = np.arange(BLOCK_ROWS - num_open, len(rare_B) + 1, BLOCK_ROWS)
        at_ends = [0, *rare_before[ends].tolist()]
        self._open = [(num_open + len(rare_B)) % BLOCK_ROWS, int(rare_before[-1]) - at_ends[-1]]
        middles = (np.maximum(ends - BLOCK_ROWS, 0) + ends) // 2
        shares = (np.diff(at_ends) / BLOCK_ROWS).tolist()
        return list(zip(shares, time_B[middles].tolist(), strict=True))

    def _loss(self, name: str) -> Series:
        if name not in self._losses:
            self._losses[name] = Series(sensitivity=self._sensitivity, scale=_scaled_loss)
        return self._losses[name]


def _scaled_share(share: float) -> float:
    """2 sqrt(n) asin sqrt(share): of n independent rows its deviation is 1, whatever the share."""
    return 2.0 * math.sqrt(BLOCK_ROWS) * math.asin(math.sqrt(share))


def _scaled_loss(loss: float) -> float:
    return LOSS_SCALE * math.log(max(loss, LEAST_LOSS))


def _as_array(series: Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array(series.numbers(), np.float64).reshape(-1, 2)
