"""One example of every modality: a stream of its kind, and how to spoil it.

The contract tests of modalities, scorers, objectives and of the whole learner run over these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from streamssl.config.root import Config
from streamssl.config.settings import load_config
from streamssl.data.events import EventBatch, IntArray

SMALL: dict[str, Any] = {
    "learner": {"hidden": 8, "embedding": 4, "projection": 4},
    "learn": {
        "every": 64,
        "batch": 8,
        "upkeep_batch": 8,
        "burst_after": 64,
        "burst_steps": 6,
        "burst_slice": 2,
    },
    "objectives": {"moco": {"queue": 16}},
    "alerts": {"budget": 0.02, "calibration_warmup": 32, "incident_gap": 4},
    "scorers": {"own_keys": 2, "memory": {"enabled": True}},
}


@dataclass(frozen=True)
class Example:
    """A stream of one kind.

    Attributes:
        kind: Name in the registry.
        section: Its section of the configuration, beside `kind`.
        sections: Other sections that it needs.
        batch: Ordinary events: their number, keys, partitions and seed.
        spoil: The batch with one part odd in some rows, as a person would see at a glance.
        missing: The batch with everything missing in some rows.
        huge: The batch with the largest values that there are in some rows.
    """

    kind: str
    section: Mapping[str, Any]
    batch: Callable[..., EventBatch]
    spoil: Callable[[EventBatch, IntArray, int], EventBatch]
    missing: Callable[[EventBatch, IntArray], EventBatch]
    huge: Callable[[EventBatch, IntArray], EventBatch]
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def config(self, **sections: Mapping[str, Any]) -> Config:
        """A configuration whose networks and epochs are small; sections are merged over it."""
        layers = (SMALL, {"modality": {"kind": self.kind, **self.section}}, self.sections, sections)
        merged: dict[str, dict[str, Any]] = {}
        for layer in layers:
            for name, section in layer.items():
                merged[name] = {**merged.get(name, {}), **section}
        return load_config(merged, environ={})


def positions(
    generator: np.random.Generator, num_events: int, num_keys: int, num_partitions: int
) -> dict[str, Any]:
    """The columns that every kind of event has: keys over partitions, half a second apart."""
    key = generator.integers(0, num_keys, num_events)
    partition = (key % num_partitions).astype(np.int64)
    offset = np.zeros(num_events, np.int64)
    for number in range(num_partitions):
        offset[partition == number] = np.arange((partition == number).sum())
    return {
        "topic": "plant",
        "partition": partition,
        "offset": offset,
        "index": np.zeros(num_events, np.int64),
        "keys": pa.array([f"m{number}" for number in key], pa.string()),
        "event_time": 1.7e9 + 0.5 * np.arange(num_events),
    }


def with_values(
    batch: EventBatch, rows: IntArray, value: Any, column: Any = slice(None)
) -> EventBatch:
    """The batch with other numbers in some rows (and columns)."""
    values_BC = batch.values_BC.copy()
    values_BC[rows, column] = value
    return replace(batch, values_BC=values_BC)


def _sensor_batch(
    num_events: int, *, num_keys: int = 2, num_partitions: int = 1, seed: int = 0
) -> EventBatch:
    """Coupled walks of four channels, a twentieth of the values missing."""
    generator = np.random.default_rng(seed)
    shared = np.cumsum(generator.normal(size=(num_events, 1)), axis=0) * 0.05
    values = shared + generator.normal(size=(num_events, 4)) * 0.3
    values[generator.random(values.shape) < 0.05] = np.nan
    return EventBatch(
        **positions(generator, num_events, num_keys, num_partitions),
        fields=("rpm", "heat", "flow", "load"),
        values_BC=values.astype(np.float64),
    )


def _sensor_spoil(batch: EventBatch, rows: IntArray, part: int) -> EventBatch:
    return with_values(batch, rows, np.nan_to_num(batch.values_BC[rows, part]) + 9.0, part)


SENSOR = Example(
    kind="sensor",
    section={"window": 8},
    batch=_sensor_batch,
    spoil=_sensor_spoil,
    missing=lambda batch, rows: with_values(batch, rows, np.nan),
    huge=lambda batch, rows: with_values(batch, rows, 3.4e38),
)

SHOPS = ("bakery", "fuel", "books", "cinema")
ODD_TEXTS = ("casino", "t-unknown")


def _toy_batch(
    num_events: int, *, num_keys: int = 2, num_partitions: int = 1, seed: int = 0
) -> EventBatch:
    """Purchases: each key has its usual amount, four shops and twenty terminals are common."""
    generator = np.random.default_rng(seed)
    common = positions(generator, num_events, num_keys, num_partitions)
    key = np.array([int(name[1:]) for name in common["keys"].to_pylist()], np.int64)
    amount = generator.normal(20.0 + 5.0 * (key % 5), 2.0)
    gap = generator.normal(60.0, 5.0, num_events)
    shop = np.array(SHOPS)[generator.integers(0, len(SHOPS), num_events)]
    terminal = [f"t{number}" for number in generator.integers(0, 20, num_events)]
    columns = [pa.array(shop.tolist(), pa.string()), pa.array(terminal, pa.string())]
    return EventBatch(
        **common,
        fields=("amount", "gap"),
        values_BC=np.stack([amount, gap], axis=1).astype(np.float64),
        texts=pa.record_batch(columns, names=["shop", "terminal"]),
    )


def _toy_spoil(batch: EventBatch, rows: IntArray, part: int) -> EventBatch:
    if part < len(batch.fields):
        return with_values(batch, rows, batch.values_BC[rows, part] * 4.0, part)
    return _with_text(batch, rows, part - len(batch.fields), ODD_TEXTS[part - len(batch.fields)])


def _toy_missing(batch: EventBatch, rows: IntArray) -> EventBatch:
    without = with_values(batch, rows, np.nan)
    return _with_text(_with_text(without, rows, 0, None), rows, 1, None)


def _toy_huge(batch: EventBatch, rows: IntArray) -> EventBatch:
    return _with_text(with_values(batch, rows, 3.4e38), rows, 0, "x" * 1_000)


def _with_text(batch: EventBatch, rows: IntArray, column: int, text: str | None) -> EventBatch:
    """The batch with another text in some rows."""
    assert batch.texts is not None
    texts = batch.texts.column(column).to_pylist()
    for row in rows.tolist():
        texts[row] = text
    name = batch.texts.schema.names[column]
    return replace(batch, texts=batch.texts.set_column(column, name, pa.array(texts, pa.string())))


TOY = Example(
    kind="toy",
    section={},
    sections={"objectives": {"next_step": {"weight": 0}}},
    batch=_toy_batch,
    spoil=_toy_spoil,
    missing=_toy_missing,
    huge=_toy_huge,
)

EXAMPLES = {example.kind: example for example in (SENSOR, TOY)}
every_modality = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
