"""The compiled library: what it refuses, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamssl.native import build, ema, library
from streamssl.native.ema import KeyRows, Powers, ema_scan

compiled = pytest.mark.skipif(isinstance(library.load(), str), reason="it was not built")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where the library is looked for, for the first time."""
    path = tmp_path / "kernels.so"
    monkeypatch.setattr(library, "library_path", lambda: path)
    caches = (library.load, ema._loop)
    for cache in caches:
        cache.cache_clear()
    yield path
    for cache in caches:
        cache.cache_clear()


def test_without_a_library_numpy_does_the_work(elsewhere: Path) -> None:
    """It is said that it was not built, and no loop is there."""
    assert library.loops() == f"NumPy, slower: {elsewhere.name} was not built"
    assert not ema.has_loop(np.dtype(np.float64), np.dtype(np.float64))


def test_a_library_that_cannot_be_loaded_is_none(elsewhere: Path) -> None:
    """Of another platform, or cut short: the reason is told, and NumPy does the work."""
    elsewhere.write_bytes(b"no library")
    assert library.loops().startswith("NumPy, slower: kernels.so cannot be loaded: ")
    assert not ema.has_loop(np.dtype(np.float32), np.dtype(np.float32))


@compiled
def test_with_a_library_it_says_compiled() -> None:
    """And there are loops for three pairs of types, for others none."""
    assert library.loops() == "compiled"
    double, single = np.dtype(np.float64), np.dtype(np.float32)
    pairs = ((double, double), (double, single), (single, single))
    assert all(ema.has_loop(*pair) for pair in pairs)
    assert not ema.has_loop(single, double)
    assert not ema.has_loop(double, np.dtype(np.int64))


def test_a_change_of_the_sources_asks_for_another_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A library of other sources, whose functions may differ, is never loaded."""
    (tmp_path / "source").mkdir()
    monkeypatch.setattr(build, "HERE", tmp_path)
    found = set()
    for text in ("", "int x;", "int y;"):
        (tmp_path / "source" / "a.cpp").write_text(text)
        found.add(build.library_path())
    assert len(found) == 3


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 3), np.float32), np.zeros((3, 2)), np.zeros((2, 6))[:, ::2], np.zeros(6)],
)
def test_another_array_than_a_kernel_wants_is_refused(array: Any) -> None:
    """Another type, shape or layout."""
    with pytest.raises(ValueError, match=r"where a kernel wants contiguous float64 \(2, 3\)"):
        library.pointer(array, np.float64, (2, 3))


def test_what_is_only_read_may_be_read_only() -> None:
    """Columns that come from Arrow cannot be written to."""
    array = np.zeros((2, 3))
    array.flags.writeable = False
    assert library.pointer(array, np.float64, (2, 3)) == array.ctypes.data


@compiled
@pytest.mark.parametrize(
    ("start", "count", "phase", "order"),
    [
        (0, 2, 4, [0, 1]),
        (0, 2, -1, [0, 1]),
        (0, 3, 0, [0, 1]),
        (-1, 2, 0, [0, 1]),
        (0, 2, 0, [0, 2]),
    ],
)
def test_an_index_outside_is_an_error(start: int, count: int, phase: int, order: list[int]) -> None:
    """Nothing outside of the columns is read or written."""
    keys = KeyRows(np.array([start]), np.array([count]), np.array([phase]), np.array(order))
    with pytest.raises(IndexError):
        ema_scan(Powers(*np.ones((3, 4, 5))), keys, np.zeros((1, 5)), np.ones((2, 5)), None)
