"""All state and the position it belongs to, saved atomically and verified when loaded.

A checkpoint is a folder `checkpoint-<epoch>`: every array in `state.safetensors`, all else in
`manifest.json` (with the SHA-256 and size of each file), and the manifest's own SHA-256 in
`manifest.json.sha256`, so that `sha256sum -c` checks it by hand.

`store` reads and writes them and loads torch, whose tensors they hold; what is here does not, for
the engine's process only locks the folder.
"""

from streamssl.checkpoint.errors import CheckpointError, CorruptCheckpointError
from streamssl.checkpoint.lock import StateLockedError, lock

__all__ = ["CheckpointError", "CorruptCheckpointError", "StateLockedError", "lock"]
