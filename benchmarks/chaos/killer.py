"""How a process is killed at a moment that is seen from outside."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.chaos.deployment import Deployment
from benchmarks.chaos.witness import Witness
from benchmarks.chaos.worker import Worker


@dataclass(frozen=True)
class Death:
    """How a process ended.

    Attributes:
        moment: Where it was killed: `starting`, `recovering`, `anywhere`, or a property of
            `Witness`.
        num_landed: Transactions that it committed.
        proven: Whether what it left behind shows the moment.
        journal_end: Transactions in the journal at its death.
    """

    moment: str
    num_landed: int
    proven: bool
    journal_end: int


class Killer:
    """Starts processes, one after another, and kills each with -9 at a moment.

    Args:
        deployment: Whose processes they are.
        witness: Sees what they do.
        rng: Decides how long each lives.
    """

    TIMEOUT_S = 60.0
    # What a process had sent when it was stopped has arrived after this time.
    ARRIVED_S = 0.2

    def __init__(self, deployment: Deployment, witness: Witness, rng: random.Random) -> None:
        self._deployment = deployment
        self._witness = witness
        self._rng = rng
        self._until = 0.0

    def kill(self, moment: str, overrides: tuple[str, ...] = ()) -> Death:
        """Start a process, kill it at a moment, and say what is left."""
        self._until = time.monotonic() + self.TIMEOUT_S
        begun = len(self._witness.records)
        self._deployment.source.produce(self._rng.randint(100, 200))
        with self._deployment.start(*overrides) as process:
            try:
                proven = self._wait_for(process, moment, begun + self._rng.randint(1, 8))
            finally:
                process.kill()
        self._witness.settle(self.ARRIVED_S)
        end = len(self._witness.records)
        seen = self._seen(moment)() if hasattr(self._witness, moment) else proven
        return Death(moment, end - begun, seen, end)

    def _wait_for(self, process: Worker, moment: str, num_records: int) -> bool:
        """Return when the process is to be killed; whether that is known to be the moment."""
        if moment == "starting":
            self._turn_until(process, lambda: self._deployment.lock_holder() == process.pid)
            time.sleep(self._rng.uniform(0.0, 1.5))
            return False
        if moment == "recovering":
            return self._wait_for_recovery(process)
        self._turn_until(process, lambda: len(self._witness.records) >= num_records)
        if moment == "anywhere":
            moment_s = time.monotonic() + self._rng.uniform(0.0, 0.4)
            self._turn_until(process, lambda: time.monotonic() >= moment_s)
            return False
        if moment == "is_written":
            self._witness.is_written()
            self._turn_until(process, self._witness.is_written, pace_s=0.0)
            return True
        self._stand_still(process, self._seen(moment))
        return True

    def _wait_for_recovery(self, process: Worker) -> bool:
        """Something was replayed, and not everything."""
        self._turn_until(process, lambda: process.probe("/startupz")[0] > 0)
        self._turn_until(process, lambda: _has_replayed(process), pace_s=0.02)
        return not process.is_recovered()

    def _stand_still(self, process: Worker, seen: Callable[[], bool]) -> None:
        while True:
            self._turn_until(process, seen, pace_s=0.002)
            process.freeze()
            self._witness.settle(self.ARRIVED_S)
            if seen():  # It stands still at the moment.
                return
            process.thaw()

    def _seen(self, moment: str) -> Callable[[], bool]:
        seen: Callable[[], bool] = getattr(self._witness, moment)
        return seen

    def _turn_until(self, process: Worker, seen: Callable[[], bool], pace_s: float = 0.05) -> None:
        """Follow the journal, and never let the process run out of work."""
        while not seen():
            assert process.poll() is None, process.log_tail()
            assert time.monotonic() < self._until, process.log_tail()
            self._witness.look(pace_s)
            if self._witness.num_taken() >= self._deployment.num_produced:
                self._deployment.source.produce(100)


def _has_replayed(process: Worker) -> bool:
    return process.status().get("recovered", 0) > 0 or process.is_recovered()
