"""When the state is saved: by events, by time, and as a whole at a planned stop.

State can be taken only at an epoch's end, and a stop leaves an epoch open. So that a restart
has little to replay, the last epoch's end is remembered in memory wherever that is cheap.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamssl.config.sections import CheckpointConfig
from streamssl.engine.positions import Positions
from streamssl.host import Host, Written

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
        self._remembers = False
        self._remembered_s = float("-inf")
        self._releases: deque[int] = deque(maxlen=config.keep)

    def epoch_ended(
        self, host: Host, positions: Positions, num_events: int, *, now: bool = False
    ) -> None:
        """Begin to save if a checkpoint is due (or `now`), else remember the state if it is cheap.

        While a checkpoint is being written nothing else is: one copy of the state is enough.

        Args:
            host: At an epoch's end.
            positions: Belong to the learner's state.
            num_events: Events of this run so far, those replayed at its start included.
            now: Save in any case.
        """
        if self._directory is None or host.saving:
            return
        now_s, due = self._clock(), now or self._due(num_events)
        if due or now_s - self._remembered_s >= host.remember_s / MAX_SHARE:
            host.remember(positions.state_dict(), positions.journal)
            self._remembers, self._remembered_s = True, now_s
        if due:
            self._saved_at_events, self._saved_s = num_events, now_s
            self._save(host)

    def ended(self, host: Host) -> list[Saved]:
        """Checkpoints whose writing has ended since the last call."""
        return [self._covered(written) for written in host.saved()]

    def flush(self, host: Host) -> list[Saved]:
        """Save the last epoch's end that is remembered, unless it is saved already, and wait."""
        written = host.saved(wait=True)
        if self._remembers:
            self._save(host)
            written += host.saved(wait=True)
        return [self._covered(one) for one in written]

    def _due(self, num_events: int) -> bool:
        if num_events - self._saved_at_events >= self._config.every_events:
            return True
        return self._clock() - self._saved_s >= self._config.every_s

    def _save(self, host: Host) -> None:
        assert self._directory is not None
        self._remembers = False
        host.save(self._directory, self._config.keep)

    def _covered(self, written: Written) -> Saved:
        if not written.num_bytes:
            return Saved(0, written.seconds, None)
        self._releases.append(written.journal)
        full = len(self._releases) == self._config.keep
        return Saved(written.num_bytes, written.seconds, self._releases[0] if full else None)
