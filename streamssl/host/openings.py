"""Openings of spaces on their way between processes: large, and the same for many results.

They travel as bytes of their own, so that who receives them reads each of them once: a map of 64
dimensions takes .2 ms, which every batch would pay.
"""

from __future__ import annotations

import msgspec

from streamssl.data.spaces import SpaceOpening

_DECODER = msgspec.msgpack.Decoder(SpaceOpening | None)


def packed(opening: SpaceOpening | None) -> bytes:
    """The bytes that `OpeningReader` reads.

    Example:
        >>> OpeningReader().read(packed(SpaceOpening("0/space-1", None, "warm-up", ()))).reason
        'warm-up'
    """
    return msgspec.msgpack.encode(opening)


class OpeningReader:
    """Reads openings, and remembers the last one with its bytes."""

    def __init__(self) -> None:
        self._bytes, self._opening = packed(None), None

    def read(self, value: bytes) -> SpaceOpening | None:
        """The opening of which these are the bytes; equal bytes one after another, one object."""
        if value != self._bytes:
            self._bytes, self._opening = value, _DECODER.decode(value)
        return self._opening
