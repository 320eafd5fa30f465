"""When the state is saved: by events, by time, and as a whole at a planned stop.

State can be taken only at an epoch's end, and a stop leaves an epoch open. So that a restart
has little to reproduce, the last epoch's end is remembered in memory wherever that is cheap.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from streamssl.config.sections import CheckpointConfig
from streamssl.engine.ports import Ports
from streamssl.engine.positions import Positions
from streamssl.host import Written

# Remembering epochs' ends may take this share of the time, of which so much may be saved up.
MAX_SHARE = 0.005
MAX_SAVED_UP_S = 2.0
# What is copied in less is small: while one copy of it is written another may be in memory.
SMALL_S = 0.1


class Allowance:
    """Seconds that may be spent: a share of those that pass, the first ones at once.

    It may be overdrawn: what costs more than can be saved up is done, and the more seldom.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._filled_s = clock, clock()
        self._left_s = MAX_SAVED_UP_S

    def spend(self, seconds: float) -> None:
        """Take note of seconds that were spent."""
        self._left_s -= seconds

    def is_left(self) -> bool:
        """Whether something may be spent now."""
        before_s, self._filled_s = self._filled_s, self._clock()
        earned_s = (self._filled_s - before_s) * MAX_SHARE
        self._left_s = min(self._left_s + earned_s, MAX_SAVED_UP_S)
        return self._left_s > 0


class Mark(NamedTuple):
    """Which state a copy is.

    Attributes:
        epoch: The last one that it contains.
        num_events: Events that it contains, since the state that the start found.
    """

    epoch: int
    num_events: int


class Checkpoints:
    """Saves the state of epoch ends in a folder, and lets go of the journal that they cover.

    Args:
        ports: The learner that is saved, and who is told.
        directory: Folder of the checkpoints; None saves nothing.
        config: When, and how many are kept.
    """

    def __init__(self, *, ports: Ports, directory: Path | None, config: CheckpointConfig) -> None:
        self._ports, self._host = ports, ports.host
        self._directory = directory
        self._config = config
        self._began_s = ports.clock()
        self._remembered: Mark | None = None
        self._begun = self._saved = Mark(0, 0)
        self._allowance = Allowance(ports.clock)
        self._is_unpaid = False
        self._releases: deque[int] = deque(maxlen=config.keep)

    def found(self, epoch: int) -> None:
        """The start found a checkpoint, whose last epoch is `epoch`."""
        self._begun = self._saved = Mark(epoch, 0)

    def epoch_ended(self, positions: Positions, *, now: bool = False) -> None:
        """Begin to save if a checkpoint is due (or `now`), else remember the state if it is cheap.

        While a checkpoint is being written no other is begun, and a large state is not copied:
        one copy of it is enough.

        Args:
            positions: Belong to the learner's state, which is that of an epoch's end.
            now: Save in any case.
        """
        if self._directory is None:
            return
        is_small = self._host.remember_s <= SMALL_S
        if self._host.saving and not is_small:
            return
        due = not self._host.saving and (now or self._is_due())
        if due or self._may_remember():
            self._remember(positions)
        if due:
            self._save()

    def idle(self) -> None:
        """Nothing comes: begin to save what is remembered once `every_s` has passed."""
        if self._remembered and not self._host.saving and self._is_late():
            self._save()

    def check(self) -> None:
        """Report the checkpoints whose writing has ended."""
        self._report(self._host.saved())

    def flush(self) -> None:
        """Save the last epoch's end that is remembered, unless it is saved already, and wait."""
        self._report(self._host.saved(wait=True))
        if self._remembered:
            self._save()
            self._report(self._host.saved(wait=True))

    def _num_events(self) -> int:
        # What was reproduced counts too, or processes that die soon reproduce more every time.
        summary = self._ports.reporter.summary
        return summary.recovered + summary.events

    def _is_due(self) -> bool:
        num_since = self._num_events() - self._begun.num_events
        return num_since >= self._config.every_events or self._is_late()

    def _is_late(self) -> bool:
        return self._ports.clock() - self._began_s >= self._config.every_s

    def _may_remember(self) -> bool:
        if self._is_unpaid:  # What a copy costs is known only when the learner has made it.
            self._allowance.spend(self._host.remember_s)
            self._is_unpaid = False
        return self._allowance.is_left()

    def _remember(self, positions: Positions) -> None:
        self._host.remember(positions.state_dict(), positions.journal)
        self._remembered = Mark(self._host.epoch - 1, self._num_events())
        self._is_unpaid = True

    def _save(self) -> None:
        assert self._directory is not None
        assert self._remembered is not None
        self._begun, self._remembered = self._remembered, None
        self._began_s = self._ports.clock()
        self._host.save(self._directory, self._config.keep)

    def _report(self, checkpoints: list[Written]) -> None:
        """Count them; journal records that every kept one covers may be deleted."""
        for written in checkpoints:
            self._ports.reporter.checkpointed(written)
            if not written.num_bytes:
                continue
            self._saved = self._begun
            self._releases.append(written.journal)
            if len(self._releases) == self._config.keep:
                self._ports.transport.release_journal(self._releases[0])
        if self._directory is not None:
            summary = self._ports.reporter.summary
            summary.saved_epoch = self._saved.epoch
            summary.unsaved = self._num_events() - self._saved.num_events
