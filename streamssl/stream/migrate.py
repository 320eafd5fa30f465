"""A state whose channels are changed: what still fits is kept, all else begins anew.

Kept are the keys, their incidents and the budget's counts, and of the channels that stay the
statistics and the last rows of every key. Anew begins whatever mixes channels: the scorers, the
networks (in an embedding space of another name) and what they remember, and with the scorers gate
and calibration: kept, they flagged 398 of the first 1,000 events after a change, for scores of
other channels are other scores. So every key warms up once more.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import crc32c
import numpy as np
import numpy.typing as npt

from streamssl.data.events import Schema
from streamssl.stream.model import StreamModel

AnyArray = npt.NDArray[Any]
# An axis of more values a channel is none of channels.
MOST_VALUES = 4
# Of the model's state, what knows no channels.
KEPT = ("keys", "time")
KEPT_LAYERS = ("incidents", "stories", "budget")


class Places(NamedTuple):
    """Where the channels that stay are, among the old ones and among the new.

    Attributes:
        num_old, num_new: Channels before and after.
        source, into: Places of those that stay, before and after.
    """

    num_old: int
    num_new: int
    source: list[int]
    into: list[int]

    @classmethod
    def of(cls, old: Schema, new: Schema) -> Places:
        """By the names of the channels."""
        known = {name: place for place, name in enumerate(old.fields)}
        kept = [(known[name], at) for at, name in enumerate(new.fields) if name in known]
        source, into = [place for place, _ in kept], [at for _, at in kept]
        return cls(len(old.fields), len(new.fields), source, into)

    def values_a_channel(self, fresh: AnyArray, old: AnyArray) -> int:
        """How many values of each channel the last axis of both has, 0 where it has none."""
        if not fresh.ndim or not self.num_new:
            return 0
        num_values, left = divmod(fresh.shape[-1], self.num_new)
        fits = not left and old.shape[-1] == num_values * self.num_old
        return num_values if fits and num_values <= MOST_VALUES else 0


def migrate_model(old: StreamModel, new: StreamModel) -> None:
    """Let a fresh model begin with what still fits of a model of other channels.

    Args:
        old: Between epochs.
        new: Of the same configuration, that has seen nothing.
    """
    state = old.state_dict()
    new.keys.load_state_dict(state["keys"])
    for columns in new.per_key():
        columns.ensure(new.keys.columns.num_slots)
    fresh, places = new.state_dict(), Places.of(old.schema, new.schema)
    fresh |= {name: state[name] for name in KEPT}
    fresh["modality"] = _moved(fresh["modality"], state["modality"], places)
    fresh["ensemble"] |= {name: state["ensemble"][name] for name in KEPT_LAYERS}
    digest = crc32c.crc32c(repr(new.schema).encode(), old.digest)
    fresh["counts"] = [0, 0, digest]
    fresh["migrations"] = old.vectors.migrations + 1
    new.load_state_dict(fresh)


def _moved(fresh: Any, old: Any, places: Places) -> Any:
    """A part of a fresh state with the values of the channels that stay."""
    if isinstance(fresh, dict):
        return {
            name: _moved(value, old[name], places) if name in old else value
            for name, value in fresh.items()
        }
    if isinstance(fresh, np.ndarray) and isinstance(old, np.ndarray) and fresh.ndim == old.ndim:
        return _moved_array(fresh, old, places)
    return fresh


def _moved_array(fresh: AnyArray, old: AnyArray, places: Places) -> AnyArray:
    """The same of an array whose last axis may be a few values a channel, the one before time."""
    num_values = places.values_a_channel(fresh, old)
    if not num_values:
        return old.copy() if fresh.shape == old.shape else fresh
    result = fresh.copy()
    into = result.reshape(*fresh.shape[:-1], num_values, places.num_new)
    source = old.reshape(*old.shape[:-1], num_values, places.num_old)
    if fresh.ndim == 3:
        steps = min(fresh.shape[1], old.shape[1])
        into, source = into[:, -steps:], source[:, -steps:]
    into[..., places.into] = source[..., places.source]
    return result
