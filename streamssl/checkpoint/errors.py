"""What can be wrong with a checkpoint."""

from __future__ import annotations

from streamssl.data.events import StreamsslError


class CheckpointError(StreamsslError):
    """A checkpoint cannot be written, or none can be used."""

    exit_code = 4


class CorruptCheckpointError(CheckpointError):
    """A checkpoint is not, byte for byte, what was saved."""
