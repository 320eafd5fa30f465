"""The sensor modality as the networks see it."""

from __future__ import annotations

import warnings

import numpy as np

from streamssl.config.sections import SensorConfig
from streamssl.modalities.sensor.modality import SensorModality


def test_values_near_the_end_of_float32_are_bounded_without_a_warning() -> None:
    """A difference that float32 cannot hold is a bounded input, as any other far value is."""
    modality = SensorModality(num_channels=1, config=SensorConfig(), seed=0)
    slots = np.zeros(2, np.int64)
    for columns in modality.per_key():
        columns.ensure(1)
    far = np.array([[3.4e38], [3.4e38]], np.float32)
    modality.learn(slots, far, np.ones(2, np.bool_))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        x_BTC = modality.windows(modality.read(slots, -far).rows)[:]
    assert np.isfinite(x_BTC).all()
