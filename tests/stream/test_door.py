"""Settings of the section input that a batch was made without are told, never passed over."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from streamssl import EventBatch
from tests.stream.streams import small_learner

FRAME = pd.DataFrame(
    {
        "when": 1_772_352_000.0 + np.arange(8),
        "machine": ["m1", "m2"] * 4,
        "rpm": [1.0, 3.0, 2.0, 4.0] * 2,
        "noise": [0.5, 0.1, 0.7, 0.2] * 2,
    }
)


@pytest.mark.parametrize("verb", ["process", "score"])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"key_field": "machine"},
            "input.key_field is 'machine', .* has a key \\(key='machine'\\)",
        ),
        ({"time_field": "when"}, "input.time_field is 'when', .* row numbers \\(time='when'\\)"),
    ],
    ids=["key", "time"],
)
def test_a_batch_without_the_configured_key_or_time_is_told_once(
    verb: str, settings: dict[str, Any], told: str
) -> None:
    """The learner reads no columns: the warning names the setting and where to give it."""
    learner = small_learner(input=settings)
    batch = EventBatch.from_pandas(FRAME, fields=["rpm", "noise"])
    with pytest.warns(UserWarning, match=f"{told}.*EventBatch.from_") as caught:
        getattr(learner, verb)(batch)
    assert caught[0].filename == __file__
    getattr(learner, verb)(batch)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ignore_fields": ["no*"]}, r"input.ignore_fields \['no\*'\] leaves out 'noise'"),
        ({"time_field": "noise"}, "input.time_field is 'noise'"),
        ({"key_field": "noise"}, "input.key_field is 'noise'"),
    ],
    ids=["ignored", "time", "key"],
)
def test_a_field_that_the_configuration_leaves_out_is_refused(
    settings: dict[str, Any], told: str
) -> None:
    """It is never learned; the error names the setting and the fields to give."""
    learner = small_learner(input=settings)
    batch = EventBatch.from_pandas(FRAME, time="when", key="machine")
    with pytest.raises(ValueError, match=rf"{told}.*fields=\['rpm'\] to EventBatch.from_"):
        learner.process(batch)
    assert learner.schema is None


def test_a_batch_made_as_configured_is_taken_without_a_word() -> None:
    """The daemon's configuration serves from Python, too."""
    settings = {"key_field": "machine", "time_field": "when", "ignore_fields": ["noise"]}
    learner = small_learner(input=settings)
    batch = EventBatch.from_pandas(FRAME, time="when", key="machine", fields=["rpm"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner.process(batch)
        learner.process(batch.take(slice(0, 0)))
    assert learner.schema is not None
    assert learner.schema.fields == ("rpm",)


def test_a_piece_with_other_columns_is_told_which_to_name() -> None:
    """A column may be decided otherwise in a piece of few rows."""
    learner = small_learner()
    learner.process(EventBatch.from_pandas(FRAME[["rpm"]]))
    with pytest.raises(ValueError, match=r"give fields=\['rpm'\] to EventBatch.from_"):
        learner.process(EventBatch.from_pandas(FRAME[["rpm", "noise"]]))
