"""Every modality keeps the contract of `Modality`."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamssl.checkpoint.snapshot import snapshot
from streamssl.data.events import EventBatch, IntArray
from streamssl.data.inputs import Inputs
from streamssl.modalities import Modality, modality_of
from tests.modalities.examples import Example, every_modality

KEYS = 4


class Used:
    """A modality that has seen and learned three epochs of its example."""

    def __init__(self, example: Example, *, epochs: int = 3) -> None:
        self.example, self.config = example, example.config()
        self.batch = example.batch(300, num_keys=KEYS, seed=5)
        self.modality = self.fresh()
        for epoch in range(epochs):
            rows = self.batch.take(slice(60 * epoch, 60 * (epoch + 1)))
            reading = self.modality.read(slots(rows), rows)
            own_B = np.zeros(len(rows), np.int64)
            measured = self.modality.core.measure(reading.context, own_B)
            self.modality.write(reading.advance)
            self.modality.core.write(measured.advance)
            self.modality.learn(measured.learnt, np.ones(len(rows), np.bool_))

    def fresh(self) -> Modality[Any]:
        """One that has seen nothing, with room for the keys."""
        modality = modality_of(self.example.kind).build(self.config, self.batch.schema)
        for columns in [*modality.per_key(), *modality.core.per_key()]:
            columns.ensure(KEYS)
        return modality

    def probe(self, num_events: int) -> EventBatch:
        """Events that come next."""
        return self.batch.take(slice(180, 180 + num_events))

    def inputs(self, batch: EventBatch) -> Inputs:
        """What the networks would read of a batch."""
        return self.modality.inputs(self.modality.read(slots(batch), batch).rows)[:]


def slots(batch: EventBatch) -> IntArray:
    """The number in each key is its slot."""
    return np.array([int(key[1:]) for key in batch.keys.to_pylist()], np.int64)


def assert_same(one: Inputs, other: Inputs) -> None:
    """Equal to the last bit."""
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


@every_modality
def test_reading_changes_nothing(example: Example) -> None:
    """`read` leaves the state as it was, bit for bit, and so do its inputs."""
    used = Used(example)
    before = snapshot(used.modality.state_dict()).arrays
    used.inputs(used.probe(20))
    after = snapshot(used.modality.state_dict()).arrays
    for key, value in before.items():
        np.testing.assert_array_equal(value, after[key])


@every_modality
@settings(max_examples=10, deadline=None)
@given(cut=st.integers(0, 50))
def test_cuts_change_no_bit(example: Example, cut: int) -> None:
    """Two calls give what one gives, inputs and what the core measures."""
    used, modality = Used(example), Used(example).modality
    probe = used.probe(50)
    whole = used.inputs(probe)
    parts = []
    for part in (probe.take(slice(0, cut)), probe.take(slice(cut, None))):
        reading = modality.read(slots(part), part)
        modality.write(reading.advance)
        parts.append(modality.inputs(reading.rows)[:])
    for name, array in whole.items():
        np.testing.assert_array_equal(np.concatenate([p[name] for p in parts]), array)


@every_modality
def test_inputs_are_finite_and_of_the_spec(example: Example) -> None:
    """Missing and huge values do not reach the networks as such; shapes are those promised."""
    used = Used(example)
    probe = example.missing(used.probe(10), np.array([0]))
    inputs = used.inputs(example.huge(probe, np.array([1])))
    assert inputs.keys() == used.modality.spec.arrays.keys()
    for name, (shape, dtype) in used.modality.spec.arrays.items():
        assert inputs[name].shape == (10, *shape)
        assert inputs[name].dtype == dtype
        assert np.isfinite(inputs[name]).all()


@every_modality
def test_the_future_changes_no_past(example: Example) -> None:
    """Changing a later event changes nothing of an earlier one."""
    used = Used(example)
    probe = used.probe(30)
    before = used.inputs(probe)
    after = used.inputs(example.spoil(probe, np.arange(20, 30), 0))
    for name, array in before.items():
        np.testing.assert_array_equal(array[:20], after[name][:20])


@every_modality
def test_state_carries_everything(example: Example) -> None:
    """One that takes over the state reads the same bits."""
    used, other = Used(example), Used(example, epochs=0)
    other.modality.load_state_dict(used.modality.state_dict())
    assert_same(used.inputs(used.probe(20)), other.inputs(used.probe(20)))


@every_modality
def test_an_empty_batch_is_a_batch(example: Example) -> None:
    """Nothing in, nothing out, and nothing moves."""
    used = Used(example)
    empty = used.probe(0)
    reading = used.modality.read(slots(empty), empty)
    used.modality.write(reading.advance)
    inputs = used.modality.inputs(reading.rows)[:]
    for name, (shape, _) in used.modality.spec.arrays.items():
        assert inputs[name].shape == (0, *shape)
    assert used.modality.actual(empty).texts == []


@every_modality
def test_what_came_is_told_as_it_came(example: Example) -> None:
    """`actual` gives every number and text of the batch, in its units, and fields by name."""
    used = Used(example)
    probe = used.probe(10)
    actual = used.modality.actual(probe)
    assert set(actual.fields) == set(probe.fields)
    for column, name in enumerate(actual.fields):
        given = probe.values_BC[:, probe.fields.index(name)].astype(np.float64)
        np.testing.assert_array_equal(actual.numbers_AN[:, column], given)
    texts = [{}] * len(probe) if probe.texts is None else probe.texts.to_pylist()
    assert actual.texts == texts
