"""Who this process is in the group, as librdkafka's opaque metadata say."""

from __future__ import annotations

import sys

from streamssl.data.events import StreamsslError

# Version of the bytes: then the generation (four bytes of this machine), group and member.
MAGIC = b"CGMDv2:"


class UnknownClientError(StreamsslError):
    """The installed confluent-kafka is not one that this version knows."""


def generation_and_member(metadata: bytes) -> tuple[int, str]:
    """What the broker checks of a commit.

    Without the generation a membership that has ended cannot be told from one that goes on,
    and a broker takes positions without one from anybody while the group is empty.

    Raises:
        UnknownClientError: The bytes are of another version.
    """
    if not metadata.startswith(MAGIC):
        raise UnknownClientError(
            "the installed confluent-kafka describes the group in a way that is not known here; "
            "install confluent-kafka 2.16 (`pip install streamssl[librdkafka]`), or set "
            "kafka.client: kafka-python"
        )
    rest = metadata[len(MAGIC) :]
    _, member, *_ = rest[4:].split(b"\0")
    return int.from_bytes(rest[:4], sys.byteorder, signed=True), member.decode()
