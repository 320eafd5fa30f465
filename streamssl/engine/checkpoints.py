"""When the state is saved: by events, by time, and as a whole at a planned stop.

State can be taken only at an epoch's end, and a stop leaves an epoch open. So that a restart
has little to reproduce, the last epoch's end is remembered in memory wherever that is cheap.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

from streamssl.config.sections import CheckpointConfig
from streamssl.engine.ports import Ports
from streamssl.engine.positions import Positions
from streamssl.host import Written

# Remembering an epoch's end may take this share of the time.
MAX_SHARE = 0.005


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
        self._saved_s = ports.clock()
        self._saved_at_events = 0
        self._remembers = False
        self._remembered_s = float("-inf")
        self._releases: deque[int] = deque(maxlen=config.keep)

    def epoch_ended(self, positions: Positions, *, now: bool = False) -> None:
        """Begin to save if a checkpoint is due (or `now`), else remember the state if it is cheap.

        While a checkpoint is being written nothing else is: one copy of the state is enough.

        Args:
            positions: Belong to the learner's state, which is that of an epoch's end.
            now: Save in any case.
        """
        if self._directory is None or self._host.saving:
            return
        now_s, num_events = self._ports.clock(), self._num_events()
        due = now or self._due(num_events)
        if due or now_s - self._remembered_s >= self._host.remember_s / MAX_SHARE:
            self._host.remember(positions.state_dict(), positions.journal)
            self._remembers, self._remembered_s = True, now_s
        if due:
            self._saved_at_events, self._saved_s = num_events, now_s
            self._save()

    def check(self) -> None:
        """Report the checkpoints whose writing has ended."""
        self._report(self._host.saved())

    def flush(self) -> None:
        """Save the last epoch's end that is remembered, unless it is saved already, and wait."""
        self._report(self._host.saved(wait=True))
        if self._remembers:
            self._save()
            self._report(self._host.saved(wait=True))

    def _num_events(self) -> int:
        # What was reproduced counts too, or processes that die soon reproduce more every time.
        summary = self._ports.reporter.summary
        return summary.recovered + summary.events

    def _due(self, num_events: int) -> bool:
        if num_events - self._saved_at_events >= self._config.every_events:
            return True
        return self._ports.clock() - self._saved_s >= self._config.every_s

    def _save(self) -> None:
        assert self._directory is not None
        self._remembers = False
        self._host.save(self._directory, self._config.keep)

    def _report(self, checkpoints: list[Written]) -> None:
        """Count them; journal records that every kept one covers may be deleted."""
        for written in checkpoints:
            self._ports.reporter.checkpointed(written)
            if not written.num_bytes:
                continue
            self._releases.append(written.journal)
            if len(self._releases) == self._config.keep:
                self._ports.transport.release_journal(self._releases[0])
