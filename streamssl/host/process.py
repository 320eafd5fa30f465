"""The learner in a process of its own: its Python and the engine's need not take turns."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from streamssl.config.root import Config
from streamssl.data.drift import Drift
from streamssl.data.events import EventBatch, StreamsslError
from streamssl.data.results import Decisions, EpochReport, Results, Spread
from streamssl.host.answer import AnswerHeader
from streamssl.host.base import Closed, Host, OnCorruption, Restored, Written
from streamssl.host.frames import receive, send
from streamssl.host.learner import LearnerStatus
from streamssl.host.openings import OpeningReader
from streamssl.telemetry.stages import StageTime

T = TypeVar("T")
CLOSE_S = 5.0
# What the learner's process has no use for, secrets among it.
NOT_ITS_OWN = {"kafka"}


class LearnerProcessError(StreamsslError):
    """The learner's process has ended by itself.

    Attributes:
        vanished: Whether a signal ended it (a kill, a crash), not an exception of its own.
    """

    def __init__(self, exit_code: int) -> None:
        """Say how, and what may help."""
        self.vanished = exit_code < 0
        how = signal.Signals(-exit_code).name if self.vanished else f"exit code {exit_code}"
        super().__init__(
            f"the learner's process has ended ({how}); if it was killed for memory, lower "
            "modality.max_keys or replay.max_bytes; the next start goes on from the journal"
        )


class _Answer(Future[T]):
    """The answer to one request; whoever waits for it reads answers until it is there.

    A thread that reads them would take turns with the engine's at every one.

    Args:
        read: Reads the next answer, whosever it is.
        convert: What to make of the plain value.
    """

    def __init__(self, read: Callable[[], None], convert: Callable[[Any], T]) -> None:
        super().__init__()
        self._read, self._convert = read, convert

    def result(self, timeout: float | None = None) -> T:
        """The value; the error that prevented it is raised."""
        while not self.done():
            self._read()
        return super().result(timeout)

    def arrived(self, value: Any, error: StreamsslError | None) -> None:
        """Take the value that was read, or the error in its place."""
        if error is None:
            self.set_result(self._convert(value))
        else:
            self.set_exception(error)


class ProcessHost(Host):
    """Starts the learner's process and speaks for it; does not wait until it has started.

    What is asked for is sent at once and answered in order; only `submit` and `close_epoch` let
    the caller go on meanwhile. How many events the open epoch has, and how many it takes, is
    known here without asking.

    Args:
        config: The learner's.
    """

    def __init__(self, config: Config) -> None:
        self._connection, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "streamssl.host.child", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
            )
        self._waiting: deque[_Answer[Any]] = deque()
        self._status = LearnerStatus(1, None, 0, 0, 0, 0)
        self._written: list[Written] = []
        self._stage_times: list[StageTime] = []
        self._saving = False
        self._openings = OpeningReader()
        self._send(config.model_dump(mode="json", exclude=NOT_ITS_OWN))
        self._build = self._ask("build")

    @property
    def pid(self) -> int:
        """Process id of the learner's process."""
        return self._process.pid

    def check_alive(self) -> None:
        """Notice an end of the learner's process while nobody waits for an answer."""
        if self._process.poll() is not None:
            self._build.result()  # What it refused to begin with says more than its end.
            raise self._vanished()

    @property
    def status(self) -> LearnerStatus:
        """Where the learner will stand when all that was asked for is done."""
        self._build.result()  # The first answer: before it nothing is known.
        return self._status

    def build(self) -> Mapping[str, str | None]:
        """Versions, CPU and threads of the learner's process."""
        return self._build.result()

    def submit(self, batch: EventBatch) -> Future[Results]:
        """Score a batch and advance the context, while the caller does something else."""
        self.status.num_open_events += len(batch)

        def results_of(columns: dict[str, Any]) -> Results:
            opening = self._openings.read(columns["opening"])
            return Results.from_plain({**columns, "opening": opening, "batch": batch})

        return self._ask("advance", batch, convert=results_of)

    def close_epoch(self, decisions: Decisions) -> Future[Closed]:
        """Learn the open epoch, while the caller does something else."""
        known = self.status
        known.epoch, known.num_open_events, known.target = known.epoch + 1, 0, known.next_target
        return self._ask(
            "close_epoch",
            *decisions,
            convert=closed_of,
        )

    def spread(self) -> Future[Spread]:
        """How far recent embeddings are spread, while the caller does something else."""
        return self._ask("spread", convert=lambda spread: Spread(*spread))

    def idle(self) -> bool:
        """Whether every request is answered; reads the answers that are there."""
        while self._waiting and select.select([self._connection], [], [], 0.0)[0]:
            self._read_answer()
        return not self._waiting

    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        """Drop a partition's per-key state, then advance it over `batch` without scoring."""
        self._ask("rebuild", partition, batch).result()

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget uncommitted rows of the open epoch, and the partition's context."""
        self._ask("discard", partition, from_offset).result()

    def skip_to(self, epoch: int) -> None:
        """Leave out the epochs before `epoch`, which is the open one from now on."""
        self._ask("skip_to", epoch).result()

    def restore(self, directory: Path, on_corruption: OnCorruption) -> Restored | None:
        """Take over the newest usable checkpoint of a folder; None where there is none."""
        found = self._ask("restore", str(directory), on_corruption).result()
        return None if found is None else Restored(Path(found[0]), found[1])

    def carry_keys(self) -> int:
        """Let what is known of each key hold for its name; how many there are."""
        return int(self._ask("carry_keys").result())

    def remember(self, engine: Mapping[str, Any], journal: int) -> None:
        """Copy the state, which is that of an epoch's end, with what the engine adds to it."""
        self._ask("remember", dict(engine), journal)

    def save(self, directory: Path, keep: int) -> None:
        """Begin to write what is remembered as the newest checkpoint of a folder."""
        self._saving = True
        self._ask("save", str(directory), keep)

    @property
    def saving(self) -> bool:
        """Whether a checkpoint is being written, as far as answers have told."""
        return self._saving

    def saved(self, *, wait: bool = False) -> list[Written]:
        """Checkpoints whose writing has ended since the last call."""
        if wait and self._saving:
            self._note(self._ask("finish_saving", convert=_written).result())
        elif self._saving and self.idle():
            self._ask("status").result()
        written, self._written = self._written, []
        return written

    def stage_times(self) -> list[StageTime]:
        """Names and seconds of the stages that ran since the last call."""
        times, self._stage_times = self._stage_times, []
        return times

    def close(self) -> None:
        """End the learner's process, and wait until it has ended."""
        self._connection.close()
        if not self._build.done():  # It still imports, and would not see the connection's end.
            self._process.kill()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(
        self, name: str, *arguments: Any, convert: Callable[[Any], Any] = lambda value: value
    ) -> _Answer[Any]:
        answer = _Answer(self._read_answer, convert)
        self._send((name, *arguments))
        self._waiting.append(answer)
        return answer

    def _send(self, message: Any) -> None:
        try:
            send(self._connection, message)
        except OSError as error:
            raise self._vanished() from error

    def _read_answer(self) -> None:
        """Read the answer to the oldest request."""
        try:
            value, told = receive(self._connection)
        except (EOFError, OSError) as gone:
            raise self._vanished() from gone
        header = msgspec.convert(told, AnswerHeader)
        self._waiting.popleft().arrived(value, header.raised())
        if header.status is not None:
            self._take_status(header, header.status)

    def _take_status(self, header: AnswerHeader, status: LearnerStatus) -> None:
        self._note(header.written)
        self._stage_times += header.stage_times
        self.remember_s = header.remember_s
        if not self._waiting:
            self._status = status
            return
        # Requests are under way that change the rest: what they make of it is known already.
        self._status.schema, self._status.state_crc32c = status.schema, status.state_crc32c
        self._status.next_target = status.next_target

    def _note(self, written: list[Written]) -> None:
        self._written += written
        self._saving = self._saving and not written

    def _vanished(self) -> LearnerProcessError:
        self._connection.close()
        try:
            code = self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            code = 0
        return LearnerProcessError(code)


def closed_of(plain: Any) -> Closed:
    """The end of an epoch, of what came of it through the connection."""
    report, state_crc32c = plain
    drifts = tuple(Drift(*drift) for drift in report["drifts"])
    return Closed(EpochReport(**{**report, "drifts": drifts}), state_crc32c)


def _written(plain: Any) -> list[Written]:
    return msgspec.convert(plain, list[Written])
