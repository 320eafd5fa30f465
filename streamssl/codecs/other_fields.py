"""Fields of events that are none of the stream's columns, as far as a quick look finds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from streamssl.codecs.json_fields import nested_fields, raw_fields
from streamssl.data.events import Message

MAX_LOOKS = 64
_AFTER_A_NAME = b'":'


class OtherFields:
    """Looks into JSON objects that may have more fields than those that are known.

    A message with at most as many names as one that had none but known ones is passed over, but
    for the first and the last of a slice: to look into every message would cost as much as to
    read it.
    """

    def __init__(self) -> None:
        self._most_names = 0

    def count(self, messages: Sequence[Message], known: Collection[str]) -> Counter[str]:
        """In how many of the messages looked into a field holds a value and is not known."""
        num_names = [(message.value or b"").count(_AFTER_A_NAME) for message in messages]
        many = [row for row, num in enumerate(num_names) if num > self._most_names]
        found: Counter[str] = Counter()
        for row in sorted(
            {*many[:MAX_LOOKS], *range(len(messages))[:1], *range(len(messages))[-1:]}
        ):
            names = _others(messages[row].value or b"", known)
            found.update(names)
            if not names:
                self._most_names = max(self._most_names, num_names[row])
        return found


def _others(value: bytes, known: Collection[str]) -> list[str]:
    """What is not known, and in objects by its path."""
    try:
        raw = raw_fields(value)
        leaves = {name: list(nested_fields({name: cell})) for name, cell in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []
    held = [
        (path, cell)
        for name, outer in raw.items()
        if name not in known
        for path, cell in leaves[name] or [(name, outer)]
    ]
    return [path for path, cell in held if bytes(cell) != b"null" and path not in known]
