"""All state and the position it belongs to, saved atomically and verified when loaded.

A checkpoint is a folder `checkpoint-<epoch>`: every array in `state.safetensors`, all else in
`manifest.json` (with the SHA-256 and size of each file), and the manifest's own SHA-256 in
`manifest.json.sha256`, so that `sha256sum -c` checks it by hand.

`store` reads and writes them and loads torch, whose tensors they hold; what is here does not, for
the engine's process only locks the folder.
"""

from streamssl.checkpoint.errors import (
    CheckpointError,
    CorruptCheckpointError,
    MissingStateError,
    WrongStateError,
)
from streamssl.checkpoint.lock import StateLockedError, lock
from streamssl.checkpoint.owner import Owner, check_owner, note_owner

__all__ = [
    "CheckpointError",
    "CorruptCheckpointError",
    "MissingStateError",
    "Owner",
    "StateLockedError",
    "WrongStateError",
    "check_owner",
    "lock",
    "note_owner",
]
