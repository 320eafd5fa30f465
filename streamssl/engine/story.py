"""The story of a run, line by line in the log: what began, what changed, what went wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from streamssl.config.environment import config_hash
from streamssl.config.root import Config
from streamssl.data.results import PROVISIONAL, EpochReport
from streamssl.data.spaces import SpaceOpening
from streamssl.engine.dead_letter_log import DeadLetterLog
from streamssl.engine.incident_log import IncidentLog
from streamssl.engine.pending import PendingTransaction
from streamssl.engine.positions import Positions
from streamssl.engine.spaces import told_space
from streamssl.host import Written
from streamssl.native.library import loops
from streamssl.telemetry.log_events import tell
from streamssl.telemetry.pace import Pace
from streamssl.transport.base import Transaction
from streamssl.version import __version__

log = logging.getLogger(__name__)

PROGRESS_EVERY_S = 30.0
MAX_A_MINUTE = 10
PACED = ("phase", "partitions", "shifts", "muted", "drift")
# Steps of a burst that another process began, how far is not known.
UNFINISHED = -1


class Story:
    """Tells what happens to one instance, each event of the table once.

    Args:
        config: The configuration.
        clock: Seconds that only grow.
    """

    def __init__(self, *, config: Config, clock: Callable[[], float]) -> None:
        self._config, self._clock = config, clock
        self._incidents = IncidentLog(clock)
        self._dead_letters = DeadLetterLog(
            topic=config.input.topic, samples=config.telemetry.log_samples, clock=clock
        )
        self._paces = {kind: Pace(MAX_A_MINUTE, clock=clock) for kind in PACED}
        self._phase = "starting"
        self._begun_s = self._progress_s = clock()
        self._burst_step: int | None = None
        self._is_thinned = False
        self._keys_muted, self._is_timeless = 0, False

    @property
    def unreadable(self) -> str | None:
        """That most of the input cannot be read, in words; None while it can."""
        return self._dead_letters.problem

    def phase(self, after: str) -> None:
        """Another phase of the lifecycle, if it is another."""
        before, self._phase = self._phase, after
        if after == "recovering":
            self._begun_s = self._progress_s = self._clock()
        if before != after and self._paces["phase"].admits():
            tell(log, "phase", before=before, after=after)

    def recovering(self, num_events: int) -> None:
        """So many events were recovered so far; said twice a minute."""
        now_s = self._clock()
        if now_s - self._progress_s >= PROGRESS_EVERY_S:
            self._progress_s = now_s
            seconds = round(now_s - self._begun_s, 1)
            tell(log, "recovery_progress", events=num_events, seconds=seconds)

    def recovered(self, *, num_events: int, num_records: int, epoch: int, gap: bool) -> None:
        """The state is where the journal ends."""
        tell(
            log,
            "recovered",
            events=num_events,
            num_records=num_records,
            seconds=round(self._clock() - self._begun_s, 3),
            epoch=epoch,
            gap=gap,
        )

    def started(self, positions: Positions, *, state: str, epoch: int, environment: str) -> None:
        """The start is over: what it goes on with."""
        schema = positions.schema
        if (positions.space or "").endswith(f"/{PROVISIONAL}"):
            self._burst_step = UNFINISHED
        tell(
            log,
            "started",
            **_identity(self._config),
            environment=environment,
            state=state,
            epoch=epoch,
            seq=positions.seq,
            channels=None if schema is None else schema.fields,
            num_channels=None if schema is None else len(schema.fields),
            texts=None if schema is None else schema.texts,
            space=positions.space,
            positions=dict(sorted(positions.stops.items())),
        )

    def partitions(
        self, held: Mapping[int, int], *, num_came: int, num_left: int, lag: Mapping[int, int]
    ) -> None:
        """Which partitions are held, where that has changed."""
        if (num_came or num_left) and self._paces["partitions"].admits():
            tell(
                log,
                "partitions",
                held=sorted(held),
                num_held=len(held),
                num_came=num_came,
                num_left=num_left,
                lag=sum(lag.values()),
            )

    def space_began(self, opening: SpaceOpening, epoch: int) -> None:
        """Vectors lie in another space from `epoch` on."""
        tell(log, "space", **told_space(opening), epoch=epoch)

    def committed(self, pending: PendingTransaction, landed: Transaction) -> None:
        """What landed: drifts, incidents, and what could not be read."""
        for drift in landed.journal.drifts:
            if self._paces["drift"].admits():
                tell(log, "drift", **drift._asdict())
        for partition, output in landed.parts.items():
            part = pending.parts[partition]
            self._dead_letters.observe(part.dead_letters, part.num_events)
            for results in output.results:
                self._incidents.observe(results)

    def thinned(self, learn_rate: float, lag: int) -> None:
        """Which share of an epoch's events is learnt; said where thinning begins and ends."""
        before, self._is_thinned = self._is_thinned, learn_rate < 1.0
        if self._is_thinned and not before:
            tell(log, "learning_thinned", percent=round(100 * learn_rate), lag=lag)
        elif before and not self._is_thinned:
            tell(log, "learning_whole")

    def epoch_closed(self, report: EpochReport) -> None:
        """An epoch was learnt; a line of its own for the first training burst."""
        self._alerts(report)
        before, self._burst_step = self._burst_step, report.burst_step
        state = _burst_state(before, report.burst_step, report.burst_steps)
        losses = dict(report.losses)
        if state:
            tell(
                log,
                "training_burst",
                state=state,
                epoch=report.epoch,
                burst_step=report.burst_step,
                burst_steps=report.burst_steps,
                num_trained=report.num_trained,
                losses=losses,
            )
        tell(
            log,
            "epoch",
            epoch=report.epoch,
            num_events=report.num_events,
            num_learnt=report.num_learnt,
            num_gated=report.num_gated,
            num_steps=report.num_steps,
            num_trained=report.num_trained,
            keys=report.keys_active,
            warmup_progress=report.warmup_progress,
            losses=losses,
        )

    def _alerts(self, report: EpochReport) -> None:
        """Shifts that were accepted, keys that fell mute, a clock that stands still."""
        if report.num_rebased and self._paces["shifts"].admits():
            tell(log, "shifts_accepted", num=report.num_rebased, epoch=report.epoch)
        if report.keys_muted > self._keys_muted and self._paces["muted"].admits():
            tell(log, "keys_muted", num=report.keys_muted, num_before=self._keys_muted)
        if report.is_timeless and not self._is_timeless:
            tell(log, "clock_stands", budget=str(self._config.alerts.budget))
        self._keys_muted, self._is_timeless = report.keys_muted, report.is_timeless

    def saved(self, written: Written) -> None:
        """A checkpoint was written."""
        tell(
            log,
            "checkpoint_saved",
            num_bytes=written.num_bytes,
            seconds=round(written.seconds, 3),
            journal_position=written.journal,
        )

    def turned(self, *, ending: bool = False) -> None:
        """The loop turned once more: what is said once a minute, or for the last time."""
        self._incidents.turned(ending=ending)
        self._dead_letters.turned(ending=ending)
        for kind, pace in self._paces.items():
            num = pace.take_held_back(ending=ending)
            if num:
                tell(log, "lines_held_back", kind=kind, num=num)


def tell_starting(config: Config) -> None:
    """The process begins: who it is, before anything can go wrong."""
    tell(
        log,
        "starting",
        **_identity(config),
        modality=config.modality.kind,
        state_dir=config.app.state_dir,
        delivery_mode=config.delivery.mode,
        loops=loops(),
    )


def _identity(config: Config) -> dict[str, Any]:
    return {
        "version": __version__,
        "config_hash": config_hash(config),
        "app": config.app.name,
        "instance": config.app.instance,
        "topic": config.input.topic,
    }


def _burst_state(before: int | None, burst_step: int, burst_steps: int) -> str | None:
    """What to say of the burst where `before` steps of it were known; None: nothing new.

    Example:
        >>> [_burst_state(n, 32, 200) for n in (None, UNFINISHED, 0, 16)]
        ['goes on', 'goes on', 'begins', None]
        >>> [_burst_state(n, 200, 200) for n in (None, UNFINISHED, 180, 200)]
        [None, 'over', 'over', None]
    """
    if burst_step >= burst_steps:
        return "over" if before is not None and before < burst_steps else None
    if burst_step and before in (None, UNFINISHED):
        return "goes on"
    return "begins" if burst_step and not before else None
