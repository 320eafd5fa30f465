"""The sensor modality as the networks see it."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from streamssl.modalities.sensor.modality import SensorModality
from tests.modalities.examples import SENSOR


def test_values_near_the_end_of_float32_are_bounded_without_a_warning() -> None:
    """A difference that float32 cannot hold is a bounded input, as any other far value is."""
    batch = SENSOR.batch(2, num_keys=1)
    far = replace(batch, values_BC=np.full_like(batch.values_BC, 3.4e38))
    near = replace(batch, values_BC=-far.values_BC)
    modality = SensorModality.build(SENSOR.config(), batch.schema)
    slots = np.zeros(2, np.int64)
    for columns in [*modality.per_key(), *modality.core.per_key()]:
        columns.ensure(1)
    measured = modality.core.measure(modality.read(slots, far).context, slots)
    modality.learn(measured.learnt, np.ones(2, np.bool_))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inputs = modality.inputs(modality.read(slots, near).rows)[:]
    assert np.isfinite(inputs["window"]).all()
