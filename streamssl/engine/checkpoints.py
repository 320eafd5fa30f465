"""When the state is saved: by events, by time, and as a whole at a planned stop.

State can be taken only at an epoch's end, and a stop leaves an epoch open. So that a restart
has little to replay, the last epoch's end is remembered in memory wherever that is cheap.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamssl.checkpoint import CheckpointError, Snapshot, snapshot, write
from streamssl.config.sections import CheckpointConfig
from streamssl.engine.ports import Learner
from streamssl.engine.positions import Positions

log = logging.getLogger(__name__)

# Remembering an epoch's end may take this share of the time.
MAX_SHARE = 0.005


@dataclass(frozen=True)
class Saved:
    """A checkpoint that is on the disk.

    Attributes:
        release: Journal records before this position are covered by every kept checkpoint;
            None while that is not known.
    """

    num_bytes: int
    seconds: float
    release: int | None


class Checkpoints:
    """Saves the state of epoch ends in a folder.

    Args:
        directory: Folder of the checkpoints; None saves nothing.
        config: When, and how many are kept.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        *,
        directory: Path | None,
        config: CheckpointConfig,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._config = config
        self._clock = clock
        self._saved_s = clock()
        self._saved_at_events = 0
        self._remembered: tuple[Snapshot, int, int] | None = None
        self._remembered_s = float("-inf")
        self._cost_s = 0.0
        self._releases: deque[int] = deque(maxlen=config.keep)

    def epoch_ended(
        self, learner: Learner, positions: Positions, num_events: int, *, now: bool = False
    ) -> Saved | None:
        """Save if a checkpoint is due (or `now`), else remember the state if that is cheap.

        Args:
            learner: At an epoch's end.
            positions: Belong to the learner's state.
            num_events: Events of this run so far, those replayed at its start included.
            now: Save in any case.
        """
        if self._directory is None:
            return None
        if now or self._due(num_events):
            self._saved_at_events = num_events
            return self._save(*self._take(learner, positions, copy=False))
        if self._clock() - self._remembered_s >= self._cost_s / MAX_SHARE:
            self._remember(learner, positions)
        return None

    def flush(self) -> Saved | None:
        """Save the last epoch's end that is remembered, unless it is saved already."""
        return self._save(*self._remembered) if self._remembered else None

    def _due(self, num_events: int) -> bool:
        if num_events - self._saved_at_events >= self._config.every_events:
            return True
        return self._clock() - self._saved_s >= self._config.every_s

    def _remember(self, learner: Learner, positions: Positions) -> None:
        began_s = self._clock()
        self._remembered = None  # Two copies in memory would be one too many.
        self._remembered = self._take(learner, positions, copy=True)
        self._remembered_s = self._clock()
        self._cost_s = self._remembered_s - began_s

    def _take(
        self, learner: Learner, positions: Positions, *, copy: bool
    ) -> tuple[Snapshot, int, int]:
        state = {"learner": learner.state_dict(), "engine": positions.state_dict()}
        return snapshot(state, copy=copy), learner.epoch, positions.journal

    def _save(self, taken: Snapshot, epoch: int, journal: int) -> Saved | None:
        assert self._directory is not None
        began_s = self._saved_s = self._clock()
        self._remembered = None
        position = {"epoch": epoch, "journal": journal}
        try:
            path = write(self._directory, taken, position=position, keep=self._config.keep)
        except CheckpointError:
            # The journal still holds everything: the next attempt may find more room.
            log.exception("checkpoint failed, going on without it")
            return Saved(0, self._clock() - began_s, None)
        self._releases.append(journal)
        full = len(self._releases) == self._config.keep
        num_bytes = sum(file.stat().st_size for file in path.iterdir())
        return Saved(num_bytes, self._clock() - began_s, self._releases[0] if full else None)
