"""What can be wrong with a checkpoint."""

from __future__ import annotations

from streamssl.data.events import StreamsslError


class CheckpointError(StreamsslError):
    """A checkpoint cannot be written, or none can be used."""

    exit_code = 4


class MissingStateError(CheckpointError):
    """The state folder is empty, and the instance has a history."""


class WrongStateError(CheckpointError):
    """The state folder belongs to another instance."""


class CorruptCheckpointError(CheckpointError):
    """A checkpoint is not, byte for byte, what was saved."""
