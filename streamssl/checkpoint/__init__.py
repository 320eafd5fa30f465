"""All state and the position it belongs to, saved atomically and verified when loaded.

A checkpoint is a folder `checkpoint-<epoch>`: every array in `state.safetensors`, all else in
`manifest.json` (with the SHA-256 and size of each file), and the manifest's own SHA-256 in
`manifest.json.sha256`, so that `sha256sum -c` checks it by hand.
"""

from streamssl.checkpoint.errors import CheckpointError, CorruptCheckpointError
from streamssl.checkpoint.lock import StateLockedError, lock
from streamssl.checkpoint.snapshot import Snapshot, snapshot
from streamssl.checkpoint.store import Checkpoint, checkpoints, load, load_newest, save, write

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "CorruptCheckpointError",
    "Snapshot",
    "StateLockedError",
    "checkpoints",
    "load",
    "load_newest",
    "lock",
    "save",
    "snapshot",
    "write",
]
