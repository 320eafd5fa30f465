"""Self-supervised objectives that are solved, not descended: linear maps from running sums.

What they look at is a vector an event; each gives a slice of the embedding. A solution follows from
the moments alone, so that the sums of several workers can be added up before it is asked for.
"""

from __future__ import annotations

from streamssl.objectives.closed_form.base import ClosedForm, embedded
from streamssl.objectives.closed_form.fault_directions import FaultDirections, fault_directions
from streamssl.objectives.closed_form.linear_map import LinearMap, anchor_cosine, fitted, rotated
from streamssl.objectives.closed_form.predictive_state import PredictiveState, predictive_state
from streamssl.objectives.closed_form.slow_features import SlowFeatures, slow_features

__all__ = [
    "ClosedForm",
    "FaultDirections",
    "LinearMap",
    "PredictiveState",
    "SlowFeatures",
    "anchor_cosine",
    "embedded",
    "fault_directions",
    "fitted",
    "predictive_state",
    "rotated",
    "slow_features",
]
