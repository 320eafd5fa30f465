"""What scorers see of an event, and what a scorer is.

B = events, A = explained events, P = parts, V = kinds of evidence, R = residuals,
D = embedding size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np

from streamssl.config.sections import ScorersConfig
from streamssl.data.columns import Columns
from streamssl.data.events import BoolArray, Float32Array, FloatArray, IntArray
from streamssl.data.keys import KeyColumns
from streamssl.data.spaces import VectorSlice

# docs/research-log.md, "Constants of the arithmetic"
SMALLEST = 1e-3
FITTED_ROWS = 256


@dataclass(frozen=True, slots=True)
class Measured(Columns):
    """What a modality's core measured of some events; a modality adds columns of its own.

    Attributes:
        slot_B: Slot of each event's key.
        age_B: Events of the key before this one.
        entry_B: Entry of the statistics that scored the row: 0 = shared by all keys.
        own_B: Entry that the row's key owns (0 for none).
        evidence_BV: One score a kind of evidence, >= 0; the first decides what may be learned.
        top_B: Part that contributes most, by a cheap method.
    """

    slot_B: IntArray
    age_B: IntArray
    entry_B: IntArray
    own_B: IntArray
    evidence_BV: FloatArray
    top_B: IntArray

    @property
    def raw(self) -> FloatArray:
        """`[B]` geometric mean of the evidence: exp(mean_v ln max(e_v, .001))."""
        return np.exp(np.log(np.maximum(self.evidence_BV, SMALLEST)).mean(1))

    @property
    def signals_BE(self) -> FloatArray:  # noqa: N802 - a shape suffix
        """`[B, E]` further evidence for alerts, >= 0; by default there is none."""
        return np.empty((len(self.slot_B), 0))

    @property
    def is_newcomer_B(self) -> BoolArray:  # noqa: N802 - a shape suffix
        """`[B]` rows of keys that joined a mature fleet; by default there are none."""
        return np.zeros(len(self.slot_B), bool)

    def suspect(self, winner_B: IntArray) -> IntArray:
        """`[B]` part that stands out by the evidence that won, -1 where contributions must tell.

        Args:
            winner_B: 0 for the raw score, then the signals in their order.
        """
        return np.full(len(winner_B), -1)

    def part_scores(self) -> FloatArray:
        """`[B, P]` how anomalous each part of an event is by itself, >= 0."""
        raise NotImplementedError


M = TypeVar("M", bound=Measured)
Array = TypeVar("Array", FloatArray, IntArray)


@dataclass(frozen=True, slots=True)
class Measurement(Generic[M]):
    """What a core says of a batch's events.

    Attributes:
        learnt: Of their context as it came: the published score, and what is learned.
        again: Rows that a cleaned context shows otherwise, for alerts and explanations, and these
            in it; None where there are none.
        advance: What the core's own per-key state moves on to; None where it has none.
    """

    learnt: M
    again: tuple[IntArray, M] | None = None
    advance: Any = None

    def judged(self, column: Callable[[M], Array]) -> Array:
        """`[B, ...]` a column of the events as they are judged."""
        value = column(self.learnt)
        if self.again is not None:
            rows, again = self.again
            value = value.copy()
            value[rows] = column(again)
        return value

    def judged_at(self, rows: IntArray) -> M:
        """Some events as they are judged."""
        found = self.learnt.take(rows)
        if self.again is None:
            return found
        others, again = self.again
        place = np.searchsorted(others, rows).clip(0, len(others) - 1)
        same = np.flatnonzero(others[place] == rows)
        order = np.arange(len(rows))
        order[same] = len(rows) + np.arange(len(same))
        return type(found).concat([found, again.take(place[same])]).take(order)


@dataclass(frozen=True, slots=True)
class Seen(Columns, Generic[M]):
    """Everything that a scorer may look at; kept until the epoch ends, then learned.

    Attributes:
        position_B3: Partition, offset and index.
        measured: By the modality's core.
        residual_BR: What the networks could not reconstruct or predict.
        embedding_BD: From the teacher.
        window_BR: What the usual shapes of windows leave over (`WindowScorer.residuals`).
    """

    position_B3: IntArray
    measured: M
    residual_BR: Float32Array
    embedding_BD: Float32Array
    window_BR: Float32Array

    def __len__(self) -> int:
        """Number of events."""
        return len(self.position_B3)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What of an epoch's rows may be learned, and by which statistics.

    Attributes:
        learn_B: Whether the gate let the row through.
        own_B: Entry that the row's key owns now (0 for none).
        moved: Entries that went to another key.
        assigned: (slot, entry) of the keys that have an entry of their own from now on.
        num_entries: Entries in use, the shared one included.
        spoiled_B: What nothing is to learn, not even with a small weight.
        blocks_NSP: Blocks of the windows of a sample of the rows that may be learned.
    """

    learn_B: BoolArray
    own_B: IntArray
    moved: IntArray
    assigned: list[tuple[int, int]]
    num_entries: int
    spoiled_B: BoolArray
    blocks_NSP: Float32Array = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))


@dataclass(frozen=True, slots=True)
class ScorerSizes:
    """What a scorer is built for.

    Attributes:
        num_parts: P, what an event's score is shared out to: channels, fields or cells.
        num_residuals: R, a multiple of P (part fastest) or 0.
        seed: Seed of projections.
        block_sizes: Rows of each block of a window, oldest first; none where there are no windows.
        slices: Of the embedding; none where there are no embeddings.
    """

    num_parts: int
    num_residuals: int
    seed: int
    block_sizes: tuple[int, ...] = ()
    slices: tuple[VectorSlice, ...] = ()

    @property
    def embedding(self) -> int:
        """D, 0 where there are no embeddings."""
        return self.slices[-1].end if self.slices else 0


class Scorer(Protocol):
    """Says how surprising events are. `score` and `contributions` change nothing.

    Attributes:
        grows: Whether its weight grows from 0 with the rows learnt (`maturity`).
    """

    grows: ClassVar[bool] = False

    def score(self, seen: Seen[Any]) -> FloatArray:
        """`[B]` raw scores, at least 0; larger is more surprising."""
        ...

    def contributions(self, seen: Seen[Any]) -> FloatArray:
        """`[A, P]` what each part adds to the score, at least 0."""
        ...

    def maturity(
        self,
        seen: Seen[Any],  # noqa: ARG002 - the interface's
        learnt_B: IntArray,
    ) -> FloatArray:
        """`[B]` share of its weight that it has where a key has learnt so many rows."""
        return np.ones(len(learnt_B))

    def learn(self, seen: Seen[Any], admitted: Admitted, generator: np.random.Generator) -> None:
        """Learn an epoch's rows, in (partition, offset, index) order."""
        ...

    def per_key(self) -> list[KeyColumns]:
        """The columns that grow with the number of keys."""
        ...

    def bytes_per_own_key(self) -> int:
        """Bytes that statistics of a key's own take, per-key columns excluded."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that was learned so far."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same sizes, bit for bit.

        Raises:
            ValueError: An array has another shape.
        """
        ...


class SharedScorer(Scorer, Protocol):
    """A scorer for every kind of stream; what it needs to know is in the configuration."""

    @classmethod
    def build(cls, config: ScorersConfig, sizes: ScorerSizes) -> Self:
        """A scorer that has seen nothing."""
        ...


class Core(Scorer, Protocol[M]):
    """A modality's own scorer: it measures first, and everything else follows from that.

    Attributes:
        signal_weights: Share of the alert budget of each further signal that it measures, by name.
    """

    signal_weights: ClassVar[Mapping[str, float]] = {}

    def measure(self, context: Any, own_B: IntArray) -> Measurement[M]:
        """What the statistics say of events in their context; changes nothing."""
        ...

    def write(
        self,
        advance: Any,  # noqa: ARG002 - the interface's
    ) -> None:
        """Move per-key state on to `Measurement.advance`; by default there is none."""
        return

    def spoiled(self, measured: M) -> BoolArray:
        """`[B]` rows of an epoch that nothing is to learn, whatever the gate says."""
        return np.zeros(len(measured.slot_B), bool)

    def restarted(
        self,
        measured: M,  # noqa: ARG002 - the interface's
        rows: IntArray,  # noqa: ARG002 - the interface's
    ) -> Mapping[str, tuple[IntArray, FloatArray]]:
        """Signals of some rows that mean something else since the last `learn`.

        Args:
            measured: An epoch's rows.
            rows: Which of them count.

        Returns:
            By the signal's name: places among `rows`, and their values as they are now.
        """
        return {}

    def fitted(self, measured: M) -> BoolArray:
        """`[B]` whether what stands behind each row's score is ready."""
        ...
