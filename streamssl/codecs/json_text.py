"""Bytes that are nearly JSON: a schema registry's frame before it, and literals that it lacks.

Both are common: Confluent's serialisers put a byte 0 and the schema's id (4 bytes) before the
value, and Python's own writer has NaN and Infinity.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
FRAME_BYTES = 5
_BOM = b"\xef\xbb\xbf"
_KINDS = {
    codecs.BOM_UTF16_LE: "UTF-16 text: write UTF-8",
    codecs.BOM_UTF16_BE: "UTF-16 text: write UTF-8",
    b"\x1f\x8b": "gzip: have the producer write JSON, or name a file of it .gz",
    b"PK\x03\x04": "a zip archive: unpack it",
    b"PAR1": "Parquet: have the producer write JSON, or name a file of it .parquet",
    b"ARROW1": "Arrow: set input.codec: arrow",
    b"\xff\xff\xff\xff": "Arrow: set input.codec: arrow",
    b"Obj\x01": "Avro: have the producer write JSON",
    b"\x28\xb5\x2f\xfd": "zstd: have the producer write JSON",
    b"\x78\x9c": "zlib: have the producer write JSON",
    b"eyJ": "Base64: have the producer write JSON",
    b"<": "XML: have the producer write JSON",
}
# Every other byte of two characters is 0.
_UTF_16 = re.compile(rb"\0[^\0]\0[^\0]|[^\0]\0[^\0]\0", re.DOTALL)
# An escape of a high surrogate without the low one, or the other way round.
_HALF_PAIR = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
# A string that is never closed is taken to the end, so that no text takes more than one pass.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.|\\$)*"?|-?Infinity|NaN|-?\d[\d.eE+-]*', re.DOTALL)


def frame_id(value: bytes) -> int | None:
    """The schema's id of a value that a schema registry framed, None where it is not framed.

    Example:
        >>> frame_id(bytes([0, 0, 0, 0, 7]) + b'{"rpm": 1}'), frame_id(b'{"rpm": 1}')
        (7, None)
    """
    if len(value) > FRAME_BYTES and value[0] == 0:
        return int.from_bytes(value[1:FRAME_BYTES], "big")
    return None


def likely_kind(value: bytes) -> str | None:
    """What bytes that are no JSON seem to be, None where they look like nothing known.

    Example:
        >>> likely_kind("{}".encode("utf-16")), likely_kind(b"1.5;2.5")
        ('UTF-16 text: write UTF-8', 'CSV: send JSON objects, or name a file of it .csv')
    """
    if not value.strip():
        return "blanks alone: send a JSON object, or no message"
    if b"\\ud" in value.lower() and _HALF_PAIR.search(value):
        return "text with half a surrogate pair (\\ud800 to \\udfff): write whole characters"
    for begin, kind in _KINDS.items():
        if value.startswith(begin):
            return kind
    if len(value) > 3 and _UTF_16.match(value):
        return _KINDS[codecs.BOM_UTF16_LE]
    is_json = any(mark in value for mark in (b"{", b"[", b'":', b"\0"))
    if not is_json and any(mark in value for mark in (b",", b";", b"\t")):
        return "CSV: send JSON objects, or name a file of it .csv"
    return None


def mended(value: bytes) -> bytes:
    """The value as JSON: no frame, null for NaN, and +-1e308 for numbers beyond float64.

    What is not JSON for any other reason stays so.

    Example:
        >>> mended(b'{"a": NaN, "b": -Infinity, "c": "NaN", "d": 1e999}')
        b'{"a": null, "b": -1e308, "c": "NaN", "d": 1e308}'
    """
    return _TOKEN.sub(_plain, _bare(value))


def decode_mended(decode: Callable[[bytes], _T], value: bytes) -> _T:
    """Decode a value, and where that fails once more what `mended` makes of it.

    Raises:
        msgspec.DecodeError: It is no such JSON.
        UnicodeDecodeError: It is no UTF-8.
        RecursionError: It is nested too deeply.
    """
    for mend in (_without_literals, mended):
        try:
            return on_fresh_stack(decode, value)
        except msgspec.DecodeError as error:
            if isinstance(error, msgspec.ValidationError) and "out of range" not in str(error):
                raise
            value = mend(value)
    return on_fresh_stack(decode, value)


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


def _bare(value: bytes) -> bytes:
    """The value without frame and byte order mark."""
    return (value if frame_id(value) is None else value[FRAME_BYTES:]).removeprefix(_BOM)


def _without_literals(value: bytes) -> bytes:
    """What `mended` does of literals, at once, where strings are easily told from the rest."""
    value = _bare(value)
    if b"\\" in value:
        return value
    parts = value.split(b'"')
    outside = b'"'.join(parts[::2]).replace(b"NaN", b"null").replace(b"Infinity", b"1e308")
    parts[::2] = outside.split(b'"')
    return b'"'.join(parts)


def _plain(match: re.Match[bytes]) -> bytes:
    token = match.group()
    if token == b"NaN":
        return b"null"
    if token.startswith(b'"'):
        return token
    try:
        number = float(token)
    except ValueError:
        return token
    return token if math.isfinite(number) else b"-1e308" if number < 0 else b"1e308"
