"""The learner in a process of its own: its Python and the engine's need not take turns."""

from __future__ import annotations

import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from streamssl.config.root import Config
from streamssl.data.events import EventBatch, Schema, StreamsslError
from streamssl.data.results import Decisions, EpochReport, Results
from streamssl.host.base import Closed, Given, Host, OnCorruption, Restored, Written
from streamssl.host.frames import receive, send
from streamssl.host.mirror import Mirror
from streamssl.telemetry.stages import Took

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


class Answer(Given[T]):
    """The answer to one question, waited for when it is called.

    Args:
        take: Reads the next answer, whosever it is.
        give: What to make of the value.

    Attributes:
        here: Whether it has arrived.
    """

    def __init__(self, take: Callable[[], None], give: Callable[[Any], T]) -> None:
        self._take, self._give = take, give
        self._value: Any = None
        self._error: StreamsslError | None = None
        self.here = False

    def arrived(self, value: Any, error: tuple[int, str] | None) -> None:
        """It is there."""
        self._value, self.here = value, True
        if error is not None:
            self._error = StreamsslError(error[1])
            self._error.exit_code = error[0]

    def __call__(self) -> T:
        """The value; the error that prevented it is raised."""
        while not self.here:
            self._take()
        if self._error is not None:
            raise self._error
        return self._give(self._value)


class ProcessHost(Host):
    """Starts the learner's process and speaks for it; does not wait until it has started.

    What is asked for is sent at once and answered in order; only `begin` and `begin_close` let
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
        self._waiting: deque[Answer[Any]] = deque()
        self._state = Mirror(1, None, 0, 0, 0, 0, 0.0, [], [])
        self._written: list[Written] = []
        self._took: list[Took] = []
        self.saving = False
        self._send(config.model_dump(mode="json", exclude=NOT_ITS_OWN))
        self._build: Answer[Mapping[str, str | None]] = self._ask(_same, "build")

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def epoch(self) -> int:
        """Number of the open epoch."""
        return self._known.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._ask(_nothing, "skip_to", epoch)()

    @property
    def schema(self) -> Schema | None:
        """The stream's columns, None until the first batch."""
        return self._known.schema

    @property
    def num_open_events(self) -> int:
        """Rows of the open epoch, those included that are being scored."""
        return self._known.num_open_events

    @property
    def remember_s(self) -> float:  # type: ignore[override]  # the protocol's attribute
        """Seconds that `remember` took last."""
        return self._known.remember_s

    def target(self) -> int:
        """Events at which the open epoch is full."""
        return self._known.target

    def state_crc32c(self) -> int:
        """CRC of the state that scores the open epoch, as of the last answer."""
        return self._known.state_crc32c

    def advance(self, batch: EventBatch) -> Results:
        """Score with the frozen state and advance the per-key context."""
        return self.begin(batch)()

    def close_epoch(self, decisions: Decisions) -> EpochReport:
        """Learn the open epoch and open the next."""
        return self.begin_close(decisions)().report

    def build(self) -> Mapping[str, str | None]:
        """Versions, CPU and threads of the learner's process."""
        return self._build()

    def begin(self, batch: EventBatch) -> Given[Results]:
        """`advance`, while the caller does something else."""
        self._known.num_open_events += len(batch)
        return self._ask(
            lambda columns: Results.from_plain({**columns, "batch": batch}), "advance", batch
        )

    def begin_close(self, decisions: Decisions) -> Given[Closed]:
        """`close_epoch`, likewise."""
        known = self._known
        known.epoch, known.num_open_events, known.target = known.epoch + 1, 0, known.next_target
        return self._ask(
            lambda closed: Closed(EpochReport(**closed[0]), closed[1]), "close_epoch", *decisions
        )

    def rebuild(self, partition: int, batch: EventBatch | None) -> None:
        """Drop a partition's per-key state, then advance it over `batch` without scoring."""
        self._ask(_nothing, "rebuild", partition, batch)()

    def discard(self, partition: int, from_offset: int) -> None:
        """Forget uncommitted rows of the open epoch, and the partition's context."""
        self._ask(_nothing, "discard", partition, from_offset)()

    def idle(self) -> bool:
        """Whether every question is answered."""
        self._take_answers()
        return not self._waiting

    def restore(self, directory: Path, on_corruption: OnCorruption) -> Restored | None:
        """Take over the newest usable checkpoint of a folder; None where there is none."""
        found = self._ask(_same, "restore", str(directory), on_corruption)()
        return None if found is None else Restored(Path(found[0]), found[1])

    def remember(self, engine: Mapping[str, Any], journal: int) -> None:
        """Copy the state, which is that of an epoch's end, with what the engine adds to it."""
        self._ask(_nothing, "remember", dict(engine), journal)

    def save(self, directory: Path, keep: int) -> None:
        """Begin to write what is remembered as the newest checkpoint of a folder."""
        self.saving = True
        self._ask(_nothing, "save", str(directory), keep)

    def saved(self, *, wait: bool = False) -> list[Written]:
        """Checkpoints whose writing has ended since the last call."""
        if wait and self.saving:
            self._note(self._ask(_same, "finish_saving")())
        elif self.saving:
            self._take_answers()
            if not self._waiting:
                self._ask(_nothing, "look")()
        written, self._written = self._written, []
        return written

    def took(self) -> list[Took]:
        """Names and seconds of the stages that ran since the last call."""
        took, self._took = self._took, []
        return took

    def close(self) -> None:
        """End the process."""
        self._connection.close()
        if not self._build.here:  # It still imports, and would not see the connection's end.
            self._process.kill()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def _known(self) -> Mirror:
        self._build()  # The first answer: before it nothing is known.
        return self._state

    def _ask(self, give: Callable[[Any], T], *request: Any) -> Answer[T]:
        answer = Answer(self._take_answer, give)
        self._send(request)
        self._waiting.append(answer)
        return answer

    def _send(self, message: Any) -> None:
        try:
            send(self._connection, message)
        except OSError as error:
            raise self._vanished() from error

    def _take_answers(self) -> None:
        """Read the answers that are there."""
        while self._waiting and select.select([self._connection], [], [], 0.0)[0]:
            self._take_answer()

    def _take_answer(self) -> None:
        """Read the answer to the oldest question."""
        try:
            value, mirror, error = receive(self._connection)
        except (EOFError, OSError) as gone:
            raise self._vanished() from gone
        self._waiting.popleft().arrived(value, error)
        if mirror is not None:
            self._look(msgspec.convert(mirror, Mirror))

    def _look(self, mirror: Mirror) -> None:
        self._note(mirror.written)
        self._took += mirror.took
        if not self._waiting:
            self._state = mirror
            return
        # Questions are under way that change the rest: what they make of it is known already.
        self._state.schema, self._state.state_crc32c = mirror.schema, mirror.state_crc32c
        self._state.next_target = mirror.next_target
        self._state.remember_s = mirror.remember_s

    def _note(self, written: list[tuple[int, int, float]]) -> None:
        self._written += [Written(*one) for one in written]
        self.saving = self.saving and not written

    def _vanished(self) -> LearnerProcessError:
        self._connection.close()
        try:
            code = self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            code = 0
        return LearnerProcessError(code)


def _same(value: Any) -> Any:
    return value


def _nothing(_: Any) -> None:
    return None
