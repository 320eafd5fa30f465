"""Cold start: how soon a new machine of a mature fleet is judged, and how often wrongly.

A learner is given 4,000 rows of every other machine of the set. Then the new one joins at a row
of its own, so that a labelled anomaly begins at its event 24, 60, 140, 320 or 650, or none at
all; the others go on beside it, row by row. Each arrival begins from the same learner.

K = other machines, L = rows of an arrival, C = channels.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.quality.data import Series
from benchmarks.quality.detectors import carried_forward
from benchmarks.quality.embeddings.fleet import Fleet, as_fleet, events
from benchmarks.quality.embeddings.tally import Ratio, tally
from benchmarks.quality.metrics import require_sklearn
from benchmarks.quality.peers import GatedMahalanobis
from benchmarks.quality.vus import segments
from streamssl.config.settings import load_config
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.results import Results

LEADS = (24, 60, 140, 320, 650)
BANDS = ((16, 50), (50, 100), (100, 250), (250, 600))
OURS, OURS_SCORE = "streamssl `raw`", "streamssl `score`"
ALONE = "gated Mahalanobis, lagged, alone"
_FLEET_ROWS = 4_000
FIRST_JUDGED = 16
_ANOMALY_ROWS = 40
_PER_LEAD, _NUM_QUIET = 4, 4
NEW = "the new one"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new machine's first rows.

    Attributes:
        start: Row of its series that it begins with.
        lead: Its event at which an anomaly begins; None for none.
    """

    start: int
    lead: int | None

    @property
    def num_rows(self) -> int:
        """Rows that are looked at."""
        return BANDS[-1][1] if self.lead is None else self.lead + _ANOMALY_ROWS


@dataclass(frozen=True, slots=True)
class JudgedArrival:
    """What was said of an arrival.

    Attributes:
        lead: As of the arrival.
        label_L: 1 = anomaly.
        score_L: Scores.
        anomaly_L: Alerts; None where nobody alerts.
    """

    lead: int | None
    label_L: IntArray
    score_L: FloatArray
    anomaly_L: BoolArray | None

    def auroc(self) -> float:
        """Of the anomaly's rows against those before it, from the 16th event on."""
        _, area = require_sklearn()
        row_L = np.arange(len(self.label_L))
        before_L = (row_L >= FIRST_JUDGED) & (row_L < (self.lead or 0))
        judged_L = before_L | ((row_L >= (self.lead or 0)) & (self.label_L == 1))
        return area(self.label_L[judged_L], self.score_L[judged_L])

    def false_rows(self, first: int, stop: int) -> FloatArray:
        """Whether rows without a label alerted, between two events of the machine."""
        assert self.anomaly_L is not None
        rows = slice(first, stop)
        return self.anomaly_L[rows][self.label_L[rows] == 0].astype(np.float64)


def arrivals(label_N: IntArray, seed: int) -> list[Arrival]:
    """Up to four a lead, each before an anomaly with no labelled row in between, and four quiet.

    The quiet ones begin anywhere; only their rows without a label count.
    """
    rng = np.random.default_rng(seed)
    start_S, _ = segments(label_N)
    found: list[Arrival] = []
    for lead in LEADS:
        possible = [
            s - lead for s in start_S.tolist() if s >= lead and not label_N[s - lead : s].any()
        ]
        chosen = rng.permutation(np.array(possible, np.int64))[:_PER_LEAD]
        found += [Arrival(start, lead) for start in chosen.tolist()]
    quiet = rng.integers(0, max(1, len(label_N) - BANDS[-1][1]), _NUM_QUIET)
    return found + [Arrival(start, None) for start in quiet.tolist()]


def cold_start(
    series: Sequence[Series], machine: int, seed: int, overrides: tuple[str, ...] = ()
) -> dict[str, dict[str, Ratio]]:
    """Measures of one machine that joins the others, by row of the report.

    Returns:
        `AUROC at 24` and so on: mean over arrivals of a score's AUROC, the first 40 rows of
        the anomaly against those from the 16th event on before it. `caught at 24`: share of them
        with an alert in these rows. `false rows 50-100`: share of the unlabelled that alerted.
    """
    new = series[machine]
    known = MatureFleet(
        as_fleet(new.set_name, [s for s in series if s is not new]), overrides, seed
    )
    found: dict[str, list[JudgedArrival]] = {OURS: [], OURS_SCORE: [], ALONE: []}
    for arrival in arrivals(new.label, seed):
        rows = slice(arrival.start, arrival.start + arrival.num_rows)
        values_LC, label_L = new.values_NC[rows], new.label[rows]
        said = known.join(values_LC)
        found[OURS].append(JudgedArrival(arrival.lead, label_L, said.raw, said.anomaly))
        found[OURS_SCORE].append(JudgedArrival(arrival.lead, label_L, said.score, None))
        alone_L = GatedMahalanobis(seed).score_one_pass(carried_forward(values_LC))
        found[ALONE].append(JudgedArrival(arrival.lead, label_L, alone_L, None))
    return {row: dict(_measures(judged, new.name)) for row, judged in found.items()}


class MatureFleet:
    """A learner that knows a fleet, and meets one new machine after another.

    Its epochs are as long as a live daemon's.

    Args:
        fleet: The machines that are known.
        overrides: Settings as `section.key=value`; everything else is the default.
        seed: Of the learner.
    """

    def __init__(self, fleet: Fleet, overrides: tuple[str, ...], seed: int) -> None:
        from streamssl.data.results import Decisions
        from streamssl.stream import StreamLearner

        self._make = StreamLearner
        every = load_config(None, overrides, environ={}).learn.live_every
        settings = (*overrides, f"app.seed={seed}", f"learn.every={every}")
        self._config = load_config(None, settings, environ={})
        self._fleet = fleet
        self._known = min(_FLEET_ROWS, len(fleet.values_TKC) - LEADS[-1] - _ANOMALY_ROWS)
        learner = StreamLearner(self._config)
        learner.process(events(fleet, 0, self._known))
        learner.close_epoch(Decisions("end"))
        self._state = learner.state_dict()

    def join(self, values_LC: Float32Array) -> Results:
        """What a learner that knows the fleet says of a new machine's rows."""
        learner = self._make(self._config)
        learner.load_state_dict(copy.deepcopy(self._state))
        stop = self._known + len(values_LC)
        beside_LKC = self._fleet.values_TKC[self._known : stop]
        together = replace(
            self._fleet,
            keys=(*self._fleet.keys, NEW),
            values_TKC=np.concatenate([beside_LKC, values_LC[:, None]], axis=1),
        )
        results = learner.process(events(together, 0, len(values_LC), first_row=self._known))
        return results.take(slice(len(self._fleet.keys), None, len(together.keys)))


def _measures(judged: Sequence[JudgedArrival], name: str) -> Iterator[tuple[str, Ratio]]:
    quiet = [one for one in judged if one.lead is None and one.anomaly_L is not None]
    for lead in LEADS:
        mine = [one for one in judged if one.lead == lead]
        yield f"AUROC at {lead}", _mean(np.array([one.auroc() for one in mine]), name)
        alerts = [one.anomaly_L[lead:].any() for one in mine if one.anomaly_L is not None]
        if quiet:
            yield f"caught at {lead}", _mean(np.array(alerts, np.float64), name)
    for first, stop in BANDS if quiet else ():
        false = np.concatenate([one.false_rows(first, stop) for one in quiet])
        yield f"false rows {first}-{stop}", _mean(false, name)


def _mean(value_N: FloatArray, name: str) -> Ratio:
    unit_N = np.zeros(len(value_N), np.int64)
    return tally((name,), unit_N, value_N, np.ones(len(value_N)))
