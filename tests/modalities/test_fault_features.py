"""Promises of the fault features.

B = events, C = channels.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.data.events import Float32Array, FloatArray, IntArray
from streamssl.data.keys import Runs
from streamssl.modalities.sensor.fault_features import NUM_DESCRIPTORS, FaultFeatures

NUM_EVENTS, NUM_CHANNELS = 150, 3


def rows(seed: int = 0, scale: float = 4.0) -> tuple[Float32Array, Float32Array]:
    """Residuals and standardised rows."""
    generator = np.random.default_rng(seed)
    u_BC, z_BC = generator.normal(0.0, scale, (2, NUM_EVENTS, NUM_CHANNELS)).astype(np.float32)
    np.clip(u_BC, -15.0, 15.0, out=u_BC)
    z_BC[40:70, 1] = z_BC[40, 1]
    return u_BC, z_BC


def read(slot_B: IntArray, u_BC: Float32Array, z_BC: Float32Array, cut: list[int]) -> Float32Array:
    """The features of a batch that comes in pieces."""
    features, age = FaultFeatures(num_channels=u_BC.shape[1]), np.zeros(int(slot_B.max()) + 1, int)
    features.columns.ensure(len(age))
    found = []
    for piece in np.split(np.arange(len(slot_B)), cut):
        runs = Runs(slot_B[piece])
        given_BF, advance = features.read(runs, age[runs.slots], u_BC[piece], z_BC[piece])
        features.write(advance)
        age[runs.slots] += runs.counts
        found.append(given_BF)
    return np.concatenate(found)


def one_by_one(u_BC: FloatArray, z_BC: FloatArray) -> FloatArray:
    """The same of one key by the recurrences of FINDINGS, row by row, in float64."""
    spans = {"u": 8, "s": 16, "v": 32, "j": 16, "p": 16, "d": 16, "f": 16, "b": 16, "q": 8, "e": 16}
    held = {name: np.zeros(u_BC.shape[1]) for name in spans}
    before_u = before_z = np.zeros(u_BC.shape[1])
    found = []
    for u, z in zip(u_BC, z_BC, strict=True):
        change = np.abs(z - before_z)
        now = {
            "u": u,
            "s": abs(u),
            "v": u,
            "j": abs(u - before_u),
            "p": (u * before_u).clip(-30.0, 30.0),
            "d": change,
            "f": 1.0 * (change < 1e-6),
            "b": 1.0 * (abs(u) > 6.0),
            "q": np.minimum(u * u, 100.0),
            "e": np.minimum(u * u, 225.0),
        }
        for name, span in spans.items():
            held[name] = held[name] + 2.0 / (span + 1.0) * (now[name] - held[name])
        parts = [held["s"], abs(held["u"]), abs(held["v"]), *(held[n] for n in "jpdfb")]
        phi = np.stack([*parts, abs(z), held["q"] / 10.0])
        share = (held["e"] + 1e-3) ** 2
        share = share / share.sum()
        found.append([*held["u"], *held["s"], *(phi @ share), *phi.mean(1), (share**2).sum()])
        before_u, before_z = u, z
    return np.array(found)


def test_features_are_those_of_the_recurrences() -> None:
    """One row after another gives the same."""
    u_BC, z_BC = rows()
    given_BF = read(np.zeros(NUM_EVENTS, int), u_BC, z_BC, [])
    wanted_BF = one_by_one(u_BC.astype(float), z_BC.astype(float))
    assert given_BF.shape == (NUM_EVENTS, 2 * NUM_CHANNELS + 2 * NUM_DESCRIPTORS + 1)
    np.testing.assert_allclose(given_BF, wanted_BF, rtol=1e-4, atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    cut=st.lists(st.integers(0, NUM_EVENTS), max_size=5).map(sorted),
    num_keys=st.integers(1, 4),
)
def test_cutting_the_stream_changes_no_bit(cut: list[int], num_keys: int) -> None:
    """However polls cut it, and whichever keys share it."""
    slot_B = np.random.default_rng(num_keys).integers(0, num_keys, NUM_EVENTS)
    u_BC, z_BC = rows()
    whole = read(slot_B, u_BC, z_BC, [])
    assert np.array_equal(read(slot_B, u_BC, z_BC, cut), whole)
    for key in np.unique(slot_B):
        mine = slot_B == key
        alone = read(np.zeros(int(mine.sum()), int), u_BC[mine], z_BC[mine], [])
        assert np.array_equal(alone, whole[mine])


def test_the_manner_is_the_same_on_another_channel() -> None:
    """Descriptors know no channel: a fault that moves to another one has the same."""
    u_BC, z_BC = rows(scale=0.3)
    u_BC[100:, 0] += 9.0
    slot_B, turn = np.zeros(NUM_EVENTS, int), [2, 0, 1]
    one, other = (
        read(slot_B, u[:], z[:], []) for u, z in ((u_BC, z_BC), (u_BC[:, turn], z_BC[:, turn]))
    )
    manner = slice(2 * NUM_CHANNELS, None)
    np.testing.assert_allclose(one[:, manner], other[:, manner], rtol=1e-4, atol=1e-5)
    assert np.abs(one[-1, : 2 * NUM_CHANNELS] - other[-1, : 2 * NUM_CHANNELS]).max() > 5.0
    assert one[-1, -1] > 0.99
