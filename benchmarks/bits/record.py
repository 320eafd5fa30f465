"""Digests of everything that the sensor path publishes and of its state, for one work tree.

Run as a file with `PYTHONPATH=TREE`: it uses the library's public names only, so that it runs on
revisions whose rooms are laid out in another way. One JSON object a line, one line a stream.

B = events, C = channels.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import crc32c
import numpy as np
import pyarrow as pa

from streamssl import EventBatch, StreamLearner
from streamssl.codecs.registry import build_codec
from streamssl.config.problems import ConfigError
from streamssl.config.settings import load_config

Sections = dict[str, Any]
CUTS = (7, 500, 33, 256)  # events a call, in turn
ALERTS = {"calibration_warmup": 32, "budget": 0.05}
BURST = {"burst_after": 200, "burst_steps": 20}
FUSED = {
    "residual": {"weight": 0.5},
    "memory": {"enabled": True, "weight": 0.3},
}
# What `stream` makes, and the sections of the configuration it is learned with.
STREAMS: dict[str, tuple[Mapping[str, int], Sections]] = {
    "one key, defaults": ({"n": 1800, "channels": 3, "seed": 1}, {"alerts": ALERTS}),
    "tiers": (
        {"n": 2600, "channels": 5, "keys": 6, "partitions": 3, "seed": 2},
        {"scorers": {"own_keys": 2}, "alerts": ALERTS},
    ),
    "wide, all fused": (
        {"n": 1400, "channels": 150, "keys": 3, "seed": 3},
        {
            "scorers": FUSED | {"residual": {"weight": 0.5, "next_step": True}, "own_keys": 2},
            "alerts": ALERTS,
            "learn": BURST | {"burst_steps": 10},
        },
    ),
    "narrow, all fused": (
        {"n": 2000, "channels": 4, "keys": 4, "partitions": 2, "seed": 4},
        {"scorers": FUSED, "alerts": ALERTS, "learn": BURST, "modality": {"window": 8}},
    ),
    "evicting": (
        {"n": 900, "channels": 4, "keys": 30, "partitions": 2, "seed": 6},
        {
            "modality": {"window": 8, "max_keys": 20, "key_ttl": 60.0},
            "scorers": {"own_keys": 3},
            "learn": BURST | {"burst_steps": 5},
        },
    ),
    "no networks, a budget a day": (
        {"n": 1500, "channels": 3, "keys": 3, "seed": 5},
        {
            "learner": {"enabled": False},
            "scorers": {"residual": {"enabled": False}},
            "outputs": {"embeddings": {"enabled": False}},
            "alerts": {"neighbours": 0, "budget": "5000/day", "calibration_warmup": 32},
        },
    ),
    "packed outputs": (
        {"n": 1200, "channels": 6, "keys": 5, "partitions": 2, "seed": 7},
        {"outputs": {"scores": {"format": "arrow"}}, "alerts": ALERTS, "learn": BURST},
    ),
    "embeddings as JSON": (
        {"n": 600, "channels": 2, "keys": 2, "seed": 8},
        {"outputs": {"embeddings": {"format": "json"}}, "alerts": ALERTS, "learn": BURST},
    ),
}


def stream(*, n: int, channels: int, seed: int, keys: int = 1, partitions: int = 1) -> EventBatch:
    """Walks about a level of each key, 2 % missing, a far value in 1 % of the rows."""
    generator = np.random.default_rng(seed)
    level_KC = generator.normal(size=(keys, channels)).astype(np.float32) * 3
    key_B = generator.integers(keys, size=n)
    walk_BC = np.cumsum(generator.normal(size=(n, channels)), 0).astype(np.float32) * 0.02
    noise_BC = generator.normal(size=(n, channels)).astype(np.float32)
    values_BC = (level_KC[key_B] + noise_BC + walk_BC).astype(np.float32)
    values_BC[generator.random(values_BC.shape) < 0.02] = np.nan
    values_BC[generator.random(n) < 0.01, 0] += 15
    partition_B = (key_B % partitions).astype(np.int64)
    offset_B = np.zeros(n, np.int64)
    for number in range(partitions):
        offset_B[partition_B == number] = np.arange((partition_B == number).sum())
    return EventBatch(
        topic="bits",
        partition=partition_B,
        offset=offset_B,
        index=np.zeros(n, np.int64),
        keys=pa.array([f"m{number}" for number in key_B]),
        event_time=1.7e9 + 0.5 * np.arange(n, dtype=np.float64),
        fields=tuple(f"c{number}" for number in range(channels)),
        values_BC=values_BC.astype(np.float64),
    )


def configuration(sections: Sections) -> Any:
    """The sections loaded; under the names that an older revision knows where it needs them."""
    named = {**sections, "app": {"seed": 7, "name": "bits"}}
    try:
        return load_config(named, environ={})
    except ConfigError:
        scorers = dict(named["scorers"])
        scorers["gaussian"] = {"own_keys": scorers.pop("own_keys")}
        return load_config(named | {"scorers": scorers}, environ={})


class Digest:
    """CRC-32C, chained over whatever is given."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, data: Any) -> None:
        """Take in bytes or an array."""
        held = data if isinstance(data, bytes) else np.ascontiguousarray(data).data
        self.value = crc32c.crc32c(held, self.value)


def record(batch: EventBatch, config: Any) -> dict[str, Any]:
    """Process a stream in pieces, with a rebuild and a discard on the way, and digest it all."""
    learner, codec = StreamLearner(config), build_codec(config)
    digests = {name: Digest() for name in ("published", "columns", "raw_scores", "restored")}
    for number, piece in enumerate(_pieces(batch)):
        _take_in(learner.process(piece), codec, digests)
        if number == 3:  # A partition moved: its state is made anew from what was read before.
            learner.rebuild(0, piece.take(np.flatnonzero(piece.partition == 0)))
        if number == 6:  # Rows of the open epoch were not committed, and come again.
            learner.advance(piece.take(slice(0, 5)))
            learner.discard(0, int(piece.offset[:5].min()))
    with tempfile.TemporaryDirectory() as directory:
        learner.save(directory)
        again = StreamLearner(config)
        again.load(directory)
    for column in ("raw", "p_value", "embedding_BD"):
        digests["restored"].add(getattr(again.process(batch.take(slice(-300, None))), column))
    return {name: digest.value for name, digest in digests.items()} | {
        "state": learner.state_crc32c(),
        "arrays": _of_arrays(learner.state_dict()),
        "weights": learner.weights_digest(),
        "bytes_per_key": learner.bytes_per_key(),
        "epoch": learner.epoch,
    }


def _pieces(batch: EventBatch) -> Iterator[EventBatch]:
    done = turn = 0
    while done < len(batch):
        size = CUTS[turn % len(CUTS)]
        yield batch.take(slice(done, done + size))
        done, turn = done + size, turn + 1


def _take_in(results: Any, codec: Any, digests: Mapping[str, Digest]) -> None:
    for output in codec.encode(results):
        for part in (output.topic.encode(), output.key or b"", output.value or b""):
            digests["published"].add(part)
    for column in ("score", "p_value", "raw", "embedding_BD"):
        digests["columns"].add(getattr(results, column))
    for name in sorted(results.raw_scores):
        digests["raw_scores"].add(results.raw_scores[name])


def _of_arrays(state: Any) -> int:
    """Digest of all arrays of a state, wherever in it they are held and under whatever name."""
    found = sorted(crc32c.crc32c(array.tobytes()) for array in _arrays(state))
    return crc32c.crc32c(np.array(found, np.uint64).tobytes())


def _arrays(state: Any) -> Iterator[np.ndarray[Any, Any]]:
    if isinstance(state, Mapping):
        state = list(state.values())
    if isinstance(state, Sequence) and not isinstance(state, str | bytes):
        for value in state:
            yield from _arrays(value)
    elif hasattr(state, "dtype"):  # NumPy's or torch's
        yield np.asarray(state)


def main(names: Sequence[str]) -> None:
    """Print the digests of the streams named, or of all."""
    for name, (shape, sections) in STREAMS.items():
        if not names or name in names:
            digests = record(stream(**shape), configuration(sections))
            sys.stdout.write(json.dumps({"stream": name, **digests}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
