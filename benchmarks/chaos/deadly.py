"""The daemon, with a decoder that some bytes kill, as a fault in a native library would."""

from __future__ import annotations

import os
import signal

from streamssl.cli.app import main
from streamssl.codecs.json import JsonDecoder
from streamssl.data.events import Decoded, Schema, Slice

DEADLY = b'{"deadly": 1}'
_decode = JsonDecoder.decode


def _decode_or_die(self: JsonDecoder, piece: Slice, schema: Schema | None) -> Decoded:
    if any(message.value == DEADLY for message in piece.payload):
        os.kill(os.getpid(), signal.SIGKILL)
    return _decode(self, piece, schema)


if __name__ == "__main__":
    JsonDecoder.decode = _decode_or_die  # type: ignore[method-assign]
    main()
