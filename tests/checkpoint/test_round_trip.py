"""State comes back exactly as it was saved."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from safetensors.numpy import load_file

from streamssl.checkpoint.snapshot import snapshot
from streamssl.checkpoint.store import load, save, write

DTYPES = ("float64", "float32", "float16", "int64", "int32", "int8", "uint8", "uint64", "bool")
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
numpy_arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0))
)
tensors = numpy_arrays.filter(lambda a: a.dtype != np.uint64).map(
    lambda a: torch.from_numpy(a.copy())
)
states = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        scalars | numpy_arrays | tensors,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=5,
)


def assert_same(a: Any, b: Any) -> None:
    """Same types, keys in the same order, same bits."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    elif isinstance(a, (np.ndarray, torch.Tensor)):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        raw = [np.asarray(x if isinstance(x, np.ndarray) else x.numpy()).tobytes() for x in (a, b)]
        assert raw[0] == raw[1]
    else:
        assert a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))


@settings(max_examples=60, deadline=None)
@given(states, st.integers(0, 10**12 - 1))
def test_any_state_round_trips(state: dict[str, Any], epoch: int) -> None:
    """Dtypes, shapes, key types, NaN and big integers come back bit for bit."""
    with tempfile.TemporaryDirectory() as folder:
        position = {"epoch": epoch, "partitions": {0: 7, 3: 2**40}}
        loaded = load(save(Path(folder), state, position=position, keep=1))
    assert_same(loaded.state, state)
    assert_same(loaded.position, position)
    assert loaded.epoch == epoch


def test_colliding_names_stay_apart(tmp_path: Path) -> None:
    """Keys with dots or reserved words are kept apart from nested keys of the same spelling."""
    state = {
        "a.b": np.zeros(2),
        "a": {"b": np.ones(3), "$array": 1},
        "__metadata__": np.arange(2),
    }
    assert_same(load(save(tmp_path, state, position={"epoch": 1}, keep=1)).state, state)


def test_layouts_and_bfloat16(tmp_path: Path) -> None:
    """Strided arrays and 16-bit brain floats keep their values; loaded arrays can be written."""
    state = {
        "strided": np.arange(12.0).reshape(3, 4)[:, ::2],
        "fortran": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "brain": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "graph": torch.ones(2, requires_grad=True),
    }
    loaded = load(save(tmp_path, state, position={"epoch": 1}, keep=1)).state
    assert loaded["strided"].tolist() == state["strided"].tolist()  # type: ignore[attr-defined]
    assert loaded["fortran"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert torch.equal(loaded["brain"], torch.tensor([1.5, -2.0], dtype=torch.bfloat16))
    loaded["strided"] += 1
    loaded["graph"].add_(1)


def test_numpy_scalars_become_pythons(tmp_path: Path) -> None:
    """A NumPy scalar is saved as the Python number of the same value."""
    state = {"a": np.float64(0.1), "b": np.int64(3), "c": np.bool_(True)}
    loaded = load(save(tmp_path, state, position={"epoch": 1}, keep=1)).state
    assert_same(loaded, {"a": 0.1, "b": 3, "c": True})


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", np.array(["a"]), {1.5: 1}, {True: 1}])
def test_what_cannot_be_saved_is_refused(value: Any) -> None:
    """No pickle: anything else is a programmer's error, raised with its place."""
    with pytest.raises(TypeError, match=r"x\.y"):
        snapshot({"x": {"y": value}})


def test_a_snapshot_is_independent_of_the_state(tmp_path: Path) -> None:
    """What changes after the snapshot does not reach the checkpoint written from it."""
    array, tensor = np.zeros(3), torch.zeros(3)
    taken = snapshot({"array": array, "tensor": tensor})
    array += 1
    tensor += 1
    loaded = load(write(tmp_path, taken, position={"epoch": 1}, keep=1)).state
    assert not loaded["array"].any()
    assert not loaded["tensor"].any()


def test_saving_copies_no_contiguous_array() -> None:
    """Large arrays are written from where they lie."""
    array, tensor = np.zeros(1000), torch.zeros(1000)
    taken = snapshot({"array": array, "tensor": tensor}, copy=False)
    assert np.shares_memory(taken.arrays["array"], array)
    assert taken.arrays["tensor"].ctypes.data == tensor.data_ptr()


def test_the_files_are_what_they_say(tmp_path: Path) -> None:
    """Other tools can read a checkpoint: plain safetensors with dotted names, strict JSON."""
    path = save(
        tmp_path, {"net": {"w": torch.ones(2)}, "x": math.inf}, position={"epoch": 5}, keep=1
    )
    assert path.name == "checkpoint-000000000005"
    assert load_file(path / "state.safetensors")["net.w"].tolist() == [1.0, 1.0]
    manifest = json.loads((path / "manifest.json").read_text(), parse_constant=pytest.fail)
    assert manifest["format"] == 3
    assert manifest["files"]["state.safetensors"]["size"] > 0
