"""What a batch and a learner's configuration say of the same thing, compared at the door.

Which columns are time, key and fields is decided where a batch is made, so that settings of the
section input that say so otherwise are told, never passed over in silence.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from streamssl.config.agreement import wanted_columns
from streamssl.config.root import Config
from streamssl.data.channels import is_ignored
from streamssl.data.events import EventBatch, Schema


def check_columns(config: Config, schema: Schema) -> None:
    """Refuse columns that are not those that the configuration asks for.

    Raises:
        ValueError: Others are named in the section modality, or one is left out, the time or the
            key by the section input; the text says what to give to `EventBatch.from_...`.
    """
    wanted = wanted_columns(config, schema)
    if all(set(a) == set(b) for a, b in zip(wanted, schema, strict=True)):
        return
    refused = [name for name in schema.fields if name not in wanted.fields]
    settings = "; ".join(_settings(config, name) for name in refused)
    if refused and settings and config.modality.columns().schema(schema.fields) == schema:
        raise ValueError(
            f"{settings}, but the batch has {', '.join(map(repr, refused))} among its fields: "
            f"give fields={list(wanted.fields)} to EventBatch.from_..."
        )
    raise ValueError(
        f"{schema} are not the columns that the section modality names: {wanted}; give "
        f"fields={list(wanted.fields)} to EventBatch.from_..."
    )


def other_columns(schema: Schema, learnt: Schema) -> ValueError:
    """The error that a batch has other columns than those before it."""
    return ValueError(
        f"{schema} is not what was learned: {learnt}; give fields={list(learnt.fields)} to "
        "EventBatch.from_..."
    )


def warn_of_unheard(config: Config, batch: EventBatch) -> bool:
    """Warn where the section input names a key or a time that the batch was made without.

    Returns:
        Whether it warned.
    """
    unheard = list(_unheard(config, batch)) if len(batch) else []
    if unheard:
        warnings.warn(
            f"{' and '.join(unheard)}: a learner reads no columns, name them where the batch is "
            "made, in EventBatch.from_...",
            stacklevel=4,
        )
    return bool(unheard)


def _settings(config: Config, name: str) -> str:
    """Which settings of the section input say that a field is no channel."""
    special = config.input.special_fields()
    told = [f"input.{key} is {name!r}" for key, field in special.items() if field == name]
    if is_ignored(name, config.input.ignore_fields):
        told.append(f"input.ignore_fields {config.input.ignore_fields} leaves out {name!r}")
    return ", ".join(told)


def _unheard(config: Config, batch: EventBatch) -> Iterator[str]:
    key, time = config.input.key_field, config.input.time_field
    if key is not None and not pc.any(pc.not_equal(batch.keys, "")).as_py():
        yield f"input.key_field is {key!r}, but no event of the batch has a key (key={key!r})"
    if time is not None and np.array_equal(batch.event_time, batch.offset):
        yield (
            f"input.time_field is {time!r}, but the times of the batch are its row numbers "
            f"(time={time!r})"
        )
