"""Moving averages over many keys: the recurrence, whatever the cut, compiled and by NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamssl.arithmetic import scan as scan_module
from streamssl.arithmetic.scan import BLOCK, LONG, EmaScan
from streamssl.data.events import BoolArray, IntArray
from streamssl.data.keys import Runs
from streamssl.native.library import load

Array = npt.NDArray[Any]
compiled = pytest.mark.skipif(isinstance(load(), str), reason="the library was not built")


@dataclass(frozen=True)
class Batch:
    """A scan, and rows of several keys at some places of their blocks."""

    scan: EmaScan
    slot_B: IntArray
    sum_KD: Array
    phase_K: IntArray
    x_BD: Array
    first_BD: BoolArray | None

    def run(self) -> tuple[Array, Array]:
        """Averages and sums, all at once."""
        return self.scan.run(Runs(self.slot_B), self.sum_KD, self.phase_K, self.x_BD, self.first_BD)

    def run_in_pieces(self, cuts: list[int]) -> tuple[Array, Array]:
        """The same from one cut to the next, each key going on where it was."""
        keys = np.unique(self.slot_B)
        sum_KD, phase_K, found = self.sum_KD.copy(), self.phase_K.copy(), []
        for rows in np.split(np.arange(len(self.slot_B)), cuts):
            runs = Runs(self.slot_B[rows])
            at = np.searchsorted(keys, runs.slots)
            first_BD = None if self.first_BD is None else self.first_BD[rows]
            average, sum_KD[at] = self.scan.run(
                runs, sum_KD[at], phase_K[at], self.x_BD[rows], first_BD
            )
            phase_K[at] = (phase_K[at] + runs.counts) % BLOCK
            found.append(average)
        return np.concatenate(found), sum_KD


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Few or many rows of few keys, in either precision, with averages that begin or none."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    dtype, x_dtype = draw(
        st.sampled_from([(np.float64,) * 2, (np.float64, np.float32), (np.float32,) * 2])
    )
    size, num_rows = draw(st.integers(0, 40)), draw(st.integers(0, 3 * LONG))
    slot_B = 5 + generator.integers(draw(st.integers(1, 6)), size=num_rows)
    num_keys = len(np.unique(slot_B))
    scale = 10.0 ** draw(st.integers(-6, 6))
    first_BD = draw(st.none() | st.just(generator.random((num_rows, size)) < 0.1))
    return Batch(
        EmaScan(generator.uniform(0.001, 0.85, size), dtype),
        slot_B,
        (scale * generator.normal(size=(num_keys, size))).astype(dtype),
        generator.integers(BLOCK, size=num_keys),
        (scale * generator.normal(size=(num_rows, size))).astype(x_dtype),
        first_BD,
    )


def assert_same(found: tuple[Array, Array], wanted: tuple[Array, Array]) -> None:
    """To the last bit, and of one type."""
    for one, other in zip(found, wanted, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


@compiled
@given(batches())
def test_the_compiled_loop_and_numpy_agree(batch: Batch) -> None:
    """Whatever keys, phases, types and beginnings: every bit of averages and sums."""
    with pytest.MonkeyPatch.context() as patch:
        found = batch.run()
        patch.setattr(scan_module, "has_loop", lambda *_: False)
        assert_same(found, batch.run())


@pytest.mark.parametrize("by", ["the compiled loop", "NumPy"])
@given(batch=batches(), cuts=st.lists(st.integers(0, 3 * LONG), max_size=5))
def test_no_bit_depends_on_the_cut(by: str, batch: Batch, cuts: list[int]) -> None:
    """A batch cut anywhere gives the same averages, and leaves the same sums."""
    with pytest.MonkeyPatch.context() as patch:
        if by == "NumPy":
            patch.setattr(scan_module, "has_loop", lambda *_: False)
        assert_same(batch.run_in_pieces(sorted(cuts)), batch.run())


@pytest.mark.parametrize("num_rows", [1, LONG, 200])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_the_averages_are_the_recurrences(num_rows: int, dtype: Any, tolerance: float) -> None:
    """That is h <- h + rate (x - h), from the first value on, which an average takes as it is."""
    generator = np.random.default_rng(3)
    rate_D, x_BD = generator.uniform(0.01, 0.8, 7), generator.normal(size=(num_rows, 7))
    first_BD = np.arange(num_rows)[:, None] == np.zeros(7)
    average_BD, _ = EmaScan(rate_D, dtype).run(
        Runs(np.zeros(num_rows, np.int64)),
        np.zeros((1, 7), dtype),
        np.zeros(1, np.int64),
        x_BD.astype(dtype),
        first_BD,
    )
    wanted_D = x_BD[0]
    for row, x_D in enumerate(x_BD):
        wanted_D = wanted_D + rate_D * (x_D - wanted_D)
        np.testing.assert_allclose(average_BD[row], wanted_D, rtol=0, atol=tolerance)
