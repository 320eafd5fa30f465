"""Inputs that say which key they are of, for objectives that ask for it.

B = events.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pyarrow as pa

from streamssl.data.events import Float32Array, IntArray
from streamssl.data.inputs import KEY, Inputs, InputSpec, LazyInputs

HASH_BYTES = 8


def keyed_spec(spec: InputSpec) -> InputSpec:
    """The same inputs with the number of their key."""
    return spec._replace(arrays={**spec.arrays, KEY: ((), np.int64)})


def key_numbers(keys: pa.StringArray) -> IntArray:
    """`[B]` a 64-bit hash of each key's name: the same in whatever partition, run and slot."""
    encoded = keys.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    numbers = [blake2b(name.encode(), digest_size=HASH_BYTES).digest() for name in names]
    code_B = encoded.indices.to_numpy(zero_copy_only=False)
    return np.frombuffer(b"".join(numbers), "<i8").astype(np.int64)[code_B]


class KeyedInputs(LazyInputs):
    """A batch's inputs, and the numbers of their keys where inputs are to be learned from.

    Args:
        inputs: Of the modality.
        keys: Of the events.
    """

    def __init__(self, inputs: LazyInputs, keys: pa.StringArray) -> None:
        self._inputs, self._keys = inputs, keys

    def __len__(self) -> int:
        """Number of events."""
        return len(self._inputs)

    def __getitem__(self, rows: slice | IntArray) -> Inputs:
        """The rows' inputs and the numbers of their keys."""
        taken = np.arange(len(self))[rows]
        return {**self._inputs[rows], KEY: key_numbers(self._keys.take(pa.array(taken)))}

    def blocks(self, rows: slice) -> Float32Array:
        """What the modality gives."""
        return self._inputs.blocks(rows)

    def for_inference(self, rows: slice) -> Inputs:
        """What the modality gives: networks do not see the key."""
        return self._inputs.for_inference(rows)
