"""The fields of one JSON object, looked at by itself, whatever columns the stream has."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

Number = float | bool
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def raw_fields(value: bytes) -> dict[str, msgspec.Raw]:
    """Fields of a JSON object and their values as written; of a name twice the last.

    Raises:
        msgspec.DecodeError: It is no JSON object.
        RecursionError: It is nested too deeply.
    """
    fields: dict[str, msgspec.Raw] = on_fresh_stack(_fields.decode, value)
    return fields


def on_fresh_stack(function: Callable[[bytes], Any], value: bytes) -> Any:
    """Call `function` where the depth of our own call stack does not count.

    The interpreter bounds nesting by the stack that is left; without this, how deeply a message
    may nest would depend on who decodes it, and a replay might disagree with the daemon.
    """
    try:
        return function(value)
    except RecursionError:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, value).result()
