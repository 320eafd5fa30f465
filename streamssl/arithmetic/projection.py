"""A seeded projection for vectors that are too long for a covariance of their own.

F = features.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from streamssl.data.events import Float32Array


@cache
def random_projection(num_inputs: int, num_features: int, seed: int) -> Float32Array:
    """`[inputs, F]` entries N(0, 1/F), which about keep distances (Johnson, Lindenstrauss 1984)."""
    generator = np.random.default_rng([seed, num_inputs, num_features])
    scale = 1.0 / np.sqrt(num_features)
    return generator.normal(0.0, scale, (num_inputs, num_features)).astype(np.float32)
