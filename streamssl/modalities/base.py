"""What a modality is: everything that is particular to one kind of stream.

B = events, A = explained events, P = parts, R = residuals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np

from streamssl.config.root import Config
from streamssl.config.sections import LearnerConfig
from streamssl.data.events import (
    BoolArray,
    EventBatch,
    Float32Array,
    FloatArray,
    IntArray,
    Schema,
)
from streamssl.data.inputs import Inputs, InputSpec, LazyInputs
from streamssl.data.keys import KeyColumns
from streamssl.data.results import Values
from streamssl.objectives import Network
from streamssl.objectives.closed_form import ClosedForm, LinearMap
from streamssl.scorers.base import Core, M


class Reading(NamedTuple):
    """Events in their context.

    Attributes:
        context: What the core measures.
        rows: What `Modality.inputs` makes the networks' inputs from.
        advance: The context after the events, for `Modality.write`.
    """

    context: Any
    rows: Any
    advance: Any


class StemReading(NamedTuple):
    """Events as closed-form slices look at them.

    Attributes:
        features: By the slice, `[B, F]`; of a slice that looks at blocks of windows, none.
        sample: What there is to learn from some of the events: named arrays, a row each.
        advance: What the keys remember after the events, for `Stem.write`.
    """

    features: Mapping[str, Float32Array]
    sample: Callable[[IntArray], Inputs]
    advance: Any


class Stem(Protocol):
    """The closed-form part of an encoder: features of events, and slices that are solved of them.

    `read` changes nothing, `write` moves the per-key state on, `absorb` and `learn` the sums.

    Attributes:
        slices: The objectives, by their names in the order of the vector.
    """

    slices: dict[str, ClosedForm]

    def block_map(self) -> LinearMap | None:
        """The first slice's map from the flat blocks of a window; None before it is solved."""
        ...

    def read(self, measured: Any, rows: Any) -> StemReading:
        """Features of events (each key's in order), of their rows as `Modality.inputs` has them."""
        ...

    def write(self, advance: Any) -> None:
        """Move on to `StemReading.advance`."""
        ...

    def absorb(self, sample: Inputs, admitted_N: BoolArray) -> None:
        """Take in events that were kept, and whether the gate let them through."""
        ...

    def features(self, sample: Inputs) -> dict[str, Float32Array]:
        """What every slice looks at in events that were kept."""
        ...

    def learn(self, measured: Any) -> None:
        """Learn what an epoch's rows say of all rows, gated ones included."""
        ...

    def per_key(self) -> list[KeyColumns]:
        """The columns that grow with the number of keys."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What the keys remember, sums and maps."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same schema and sizes, bit for bit."""
        ...


class Modality(Protocol[M]):
    """One kind of stream; generic in what its core measures.

    `read` changes nothing, `write` moves the per-key context on, `learn` the statistics.

    Attributes:
        network_type: What `network` makes.
        parts: What an event's score is shared out to: channels, fields, cells of a frame.
        core: Its own scorer.
        spec: Of the networks' inputs.
        num_residuals: R, a multiple of the parts (part fastest), or 0 for none.
        block_sizes: Rows of each block of a window, oldest first and 1 last; none where there are
            no windows.
        stem: The closed-form part of its encoder, None where it has none.
    """

    network_type: ClassVar[type[Network]]
    parts: tuple[str, ...]
    core: Core[M]
    spec: InputSpec
    num_residuals: int
    block_sizes: tuple[int, ...] = ()
    stem: Stem | None = None

    @classmethod
    def build(cls, config: Config, schema: Schema) -> Self:
        """A modality of these columns that has seen nothing."""
        ...

    def read(self, slot_B: IntArray, batch: EventBatch) -> Reading:
        """Events (each key's in order) in their context."""
        ...

    def inputs(self, rows: Any) -> LazyInputs:
        """What the networks read of the events, from `Reading.rows`."""
        ...

    def blocks(self, inputs: Inputs) -> Float32Array:  # noqa: ARG002 - the interface's
        """`[N, S, P]` the blocks of inputs that were kept, as `LazyInputs.blocks` gives them."""
        return np.zeros((0, 0, 0), np.float32)

    def network(self, config: LearnerConfig) -> Network:
        """A student of these inputs, with weights from torch's global generator."""
        ...

    def expected(self, measured: M) -> Values:
        """What was expected in place of what came, in the input's units."""
        ...

    def expected_spread(self, measured: M) -> FloatArray:
        """`[A, N]` standard deviation of what is expected; by default unknown."""
        return np.full_like(self.expected(measured).numbers_AN, np.nan)

    def actual(self, batch: EventBatch) -> Values:
        """What came, as an explanation shows it together with what was expected."""
        ...

    def write(self, advance: Any) -> None:
        """Move the context on to `Reading.advance`."""
        ...

    def ages(self, slots: IntArray) -> IntArray:
        """`[K]` events that the context of each key has seen."""
        ...

    def learn(self, measured: M, learn_B: BoolArray) -> None:
        """Move the running statistics on by an epoch's rows that the gate let through."""
        ...

    def per_key(self) -> list[KeyColumns]:
        """The columns that grow with the number of keys, but for the core's."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Statistics and contexts, but for the core's."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same schema and sizes, bit for bit."""
        ...
