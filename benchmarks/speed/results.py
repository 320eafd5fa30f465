"""What the parts measured, as plain structures that go to JSON and come back."""

from __future__ import annotations

import msgspec


class Rate(msgspec.Struct, kw_only=True):
    """One row of a table of rates.

    Attributes:
        id: What bars and other rows call it.
        name: What the page calls it.
        events: Events inside the steady window.
        seconds: Length of that window.
        counted: Events that the independent reader found in all.
        expected: Events that there should be; 0 where nobody counts.
        trained_per_event: Trained samples per event, by the daemon's own counters.
        learnt_per_event: Rows that the statistics learnt, per event, likewise.
        inexact: What is wrong with the delivery, by the ids of the results; empty where nothing is,
            and where they carry none.
        note: Anything that a reader must know.
    """

    id: str
    name: str
    events: int
    seconds: float
    counted: int = 0
    expected: int = 0
    trained_per_event: float | None = None
    learnt_per_event: float | None = None
    inexact: str = ""
    note: str = ""

    @property
    def per_s(self) -> float:
        """Events a second inside the steady window."""
        return self.events / max(self.seconds, 1e-9)

    @property
    def complete(self) -> bool:
        """Whether the reader found every event once."""
        return self.counted == self.expected and not self.inexact


class Machine(msgspec.Struct, kw_only=True):
    """What one thread of this machine can do.

    Attributes:
        cores: Processors that this process may use.
        bytes_per_s: Read and written while a large array is copied.
        operations_per_s: Operations of float32 products of tiles of rows (torch).
    """

    cores: int
    bytes_per_s: float
    operations_per_s: float


class StageRow(msgspec.Struct, kw_only=True):
    """One stage of the journey; `None`: not known."""

    stage: str
    seconds_per_event: float | None
    share: float | None
    floor_s: float | None
    how: str = ""


class Quantiles(msgspec.Struct, kw_only=True):
    """Latencies of the events of one kind, in milliseconds."""

    name: str
    events: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class KeysRow(msgspec.Struct, kw_only=True):
    """Cost at one number of keys."""

    keys: int
    seconds_per_event: float
    stated_bytes: int
    measured_bytes: float | None


class CheckpointCost(msgspec.Struct, kw_only=True):
    """A checkpoint of many keys: the copy of the state, and the whole with its writing."""

    keys: int
    copy_s: float
    save_s: float
    num_bytes: int


class StageTimes(msgspec.Struct, kw_only=True):
    """The part `stages`: the daemon's stage times beside their floors, and its rate meanwhile."""

    machine: Machine
    rows: list[StageRow]
    events_per_s: float


class Rates(msgspec.Struct, kw_only=True):
    """The parts `kafka` and `memory`: rows, and what was left out and why.

    Attributes:
        operations: Of one event, by the id of the row.
        operations_per_s: The matrix rate.
    """

    rows: list[Rate]
    left_out: list[str] = []
    operations: dict[str, float] = {}
    operations_per_s: float = 0.0


class Latency(msgspec.Struct, kw_only=True):
    """The part `latency`.

    Attributes:
        quantiles: At half load: of all events first, then of some.
        lighter: Of all events, at a quarter and an eighth.
    """

    offered_per_s: float
    of_per_s: float
    seconds: float
    quantiles: list[Quantiles]
    lighter: list[Quantiles] = []
    checkpoints: int
    steps: int
    counted: int
    expected: int


class Keys(msgspec.Struct, kw_only=True):
    """The part `keys`: a row for each number of keys, and a checkpoint of the most."""

    rows: list[KeysRow]
    checkpoint: CheckpointCost


KINDS: dict[str, type[msgspec.Struct]] = {
    "stages": StageTimes,
    "kafka": Rates,
    "memory": Rates,
    "latency": Latency,
    "keys": Keys,
}
