"""The space that embeddings lie in: the stem's slices and the networks', its name, its openings.

B = events, N = vectors, D = dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np

from streamssl.data.events import BoolArray, Float32Array, IntArray
from streamssl.data.inputs import Inputs, take_inputs
from streamssl.data.keys import KeyColumns
from streamssl.data.results import NO_SPACE, PROVISIONAL
from streamssl.data.spaces import NETWORK, SliceMap, SpaceOpening, VectorSlice
from streamssl.learner.stem_solver import Solution, StemSolver
from streamssl.modalities.base import Stem
from streamssl.objectives.closed_form import LinearMap
from streamssl.scorers import Measurement
from streamssl.scorers.window_reader import BlockRead, WindowReader
from streamssl.stream.rows import OpenRows

DIGITS = 6  # of a map's numbers


class SlicesRead(NamedTuple):
    """What the stem made of a batch, but for the slice that looks at blocks of windows.

    Attributes:
        vectors: `[B, D]` of each slice.
        sample, advance: As of `StemReading`.
    """

    vectors: list[Float32Array]
    sample: Callable[[IntArray], Inputs]
    advance: Any


class EmbeddingSpace:
    """Joins the slices of vectors, and opens a new space where one of them changed at once.

    Args:
        instance: Begins the names: instances learn apart, so each has spaces of its own.
        stem: The closed-form slices; None where there are none.
        network_size: Dimensions of the networks' slice.

    Attributes:
        slices: Of the vector.
        size: D of the whole vector.
        opening: Why and how the present space began; None before the first.
        migrations: How often the columns were changed: names begin anew.
    """

    def __init__(self, *, instance: int, stem: Stem | None, network_size: int) -> None:
        self._instance, self.migrations = instance, 0
        self._solver = None if stem is None else StemSolver(stem)
        sizes = {} if stem is None else {n: f.num_dimensions for n, f in stem.slices.items()}
        self.slices = _slices(sizes | {NETWORK: network_size})
        self.size = self.slices[-1].end
        self.num_opened = 0
        self.opening: SpaceOpening | None = None
        self._was_trained = False

    @property
    def name(self) -> str:
        """Of the present space; provisional until the first one was opened."""
        migrated = f".{self.migrations}" if self.migrations else ""
        number = f"space-{self.num_opened}" if self.num_opened else PROVISIONAL
        return f"{self._instance}{migrated}/{number if self.size else NO_SPACE}"

    @property
    def sample_share(self) -> float:
        """Share of the next rows that are to be kept for the stem."""
        return 0.0 if self._solver is None else self._solver.sample_share

    def reads(self) -> dict[str, BlockRead]:
        """What the slices read of the blocks of windows."""
        if self._solver is None:
            return {}
        first = self.slices[0]
        return {first.name: BlockRead(first.end - first.begin, self._solver.of_blocks)}

    def read(self, measured: Measurement[Any], rows: Any) -> SlicesRead:
        """What the stem makes of a batch; nothing where there is none."""
        if self._solver is None:
            return _NOTHING
        stem = self._solver.stem
        found = stem.read(measured.learnt, rows)
        vectors = [stem.slices[name].embed(x_BF) for name, x_BF in found.features.items()]
        return SlicesRead(vectors, found.sample, found.advance)

    def write(self, advance: Any) -> None:
        """Move the stem on to `SlicesRead.advance`."""
        if self._solver is not None:
            self._solver.stem.write(advance)

    def join(
        self, reader: WindowReader, slices: SlicesRead, network_BD: Float32Array
    ) -> Float32Array:
        """`[B, D]` whole vectors of a batch."""
        if self._solver is None:
            return network_BD
        first_BD = reader.found(self.slices[0].name)
        return np.concatenate([first_BD, *slices.vectors, network_BD], axis=1)

    @property
    def block_map(self) -> LinearMap | None:
        """The first slice's map from the blocks of windows, if it is solved."""
        return None if self._solver is None else self._solver.block_map

    def per_key(self) -> list[KeyColumns]:
        """The stem's columns."""
        return [] if self._solver is None else self._solver.stem.per_key()

    def learn(
        self,
        rows: OpenRows,
        samples: Inputs,
        learn_B: BoolArray,
        *,
        num_keys: int,
        num_shifted: int,
        generator: np.random.Generator,
    ) -> Solution | None:
        """Let the stem absorb a sample of an epoch's rows; what it solved, if that was due.

        Args:
            rows: The epoch's.
            samples: What was kept of them.
            learn_B: Which rows the gate let through.
            num_keys: Keys there are.
            num_shifted: Shifts of keys that were accepted.
            generator: Source of random choices.
        """
        if self._solver is None:
            return None
        kept = np.flatnonzero(rows.sample_B >= 0)
        self._solver.stem.learn(rows.scored.seen.measured)
        return self._solver.learn(
            take_inputs(samples, rows.sample_B[kept]),
            learn_B[kept],
            rows=int(learn_B.sum()),
            num_keys=num_keys,
            num_shifted=num_shifted,
            generator=generator,
        )

    def settle(self, solution: Solution | None, *, trained: bool) -> SpaceOpening | None:
        """Open a new space where something was solved, or the networks' first burst is over.

        Args:
            solution: What was solved as the epoch ended.
            trained: Whether the burst is over.

        Returns:
            What was opened, None where nothing was.
        """
        was_trained, self._was_trained = self._was_trained, trained
        if solution is None and trained == was_trained:
            return None
        previous = self.name if self.num_opened else None
        maps = self._maps(solution, was_trained) if self.num_opened else {}
        self.num_opened += 1
        self.opening = SpaceOpening(
            space=self.name,
            previous=previous,
            reason="warm-up" if solution is None else solution.reason,
            slices=self.slices,
            maps=tuple(_told(name, found) for name, found in maps.items()),
            anchor_cosine=_known(solution and solution.cosine),
            anchor_cosine_unmapped=_known(solution and solution.cosine_unmapped),
        )
        return self.opening

    def _maps(self, solution: Solution | None, was_trained: bool) -> dict[str, LinearMap]:
        """Old to new of the slices that can be carried; what did not change is carried as it is.

        The networks' slice is another one after their burst, and all the time before it.
        """
        sizes = {part.name: part.end - part.begin for part in self.slices}
        same = {name: LinearMap(np.eye(size), np.zeros(size)) for name, size in sizes.items()}
        if not was_trained:
            del same[NETWORK]
        if solution is None:
            return same
        network = {name: found for name, found in same.items() if name == NETWORK}
        return {**solution.maps, **network}

    def state_dict(self) -> dict[str, Any]:
        """The stem and its sums; what was opened last."""
        return {
            "solver": None if self._solver is None else self._solver.state_dict(),
            "num_opened": self.num_opened,
            "was_trained": self._was_trained,
            "opening": self.opening,
        }

    def load_state_dict(self, state: Mapping[str, Any] | None, *, trained: bool) -> None:
        """Take over what `state_dict` gave.

        Args:
            state: The state; None of before there were slices, for networks alone.
            trained: Whether their burst is over.
        """
        if state is None:
            self.num_opened, self._was_trained = int(trained), trained
            return
        if self._solver is not None:
            self._solver.load_state_dict(state["solver"])
        self.num_opened, self._was_trained = int(state["num_opened"]), bool(state["was_trained"])
        self.opening = msgspec.convert(state["opening"], SpaceOpening | None)


_NOTHING = SlicesRead([], lambda rows: {}, None)  # noqa: ARG005 - as of a stem


def _slices(sizes: Mapping[str, int]) -> tuple[VectorSlice, ...]:
    ends = np.cumsum([*sizes.values()]).tolist()
    return tuple(
        VectorSlice(name, end - size, end)
        for (name, size), end in zip(sizes.items(), ends, strict=True)
    )


def _told(name: str, found: LinearMap) -> SliceMap:
    weight = tuple(tuple(_short(value) for value in row) for row in found.weight_FD.tolist())
    return SliceMap(name, weight, tuple(_short(value) for value in found.bias_D.tolist()))


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _known(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else _short(value)
