"""Hypothesis strategies that more than one room's tests use."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise

from hypothesis import strategies as st

from streamssl.codecs.base import Decoder
from streamssl.data.events import Decoded, Message, Schema, Slice

FIELDS = ("a", "b", "c")
# One poll: (partition, start, stop) of each partition that it gives anything of.
Poll = list[tuple[int, int, int]]
numbers = st.one_of(
    st.floats(-1e30, 1e30),
    st.integers(-(10**25), 10**25),
    st.booleans(),
    st.none(),
)
texts = st.text(st.characters(codec="utf-8"), max_size=12)
# Rows of numbers and texts that every format can hold: CSV has no empty text and no NUL.
float32s = st.floats(width=32, allow_nan=False, allow_infinity=False)
cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


def table_rows(
    numbers_of: tuple[str, ...], texts_of: tuple[str, ...]
) -> st.SearchStrategy[list[dict[str, float | str | None]]]:
    """Rows with these columns, any of whose cells may be missing."""
    columns: dict[str, st.SearchStrategy[float | str | None]] = {
        **dict.fromkeys(numbers_of, float32s | st.none()),
        **dict.fromkeys(texts_of, cells | st.none()),
    }
    return st.lists(st.fixed_dictionaries(columns), min_size=1, max_size=8)


@dataclass(frozen=True, slots=True)
class Expected:
    """A message, and whether it must become an event (else a dead letter)."""

    message: Message
    readable: bool


@st.composite
def good_values(draw: st.DrawFn) -> bytes:
    """JSON objects with some of the channels `FIELDS`, other fields, and a time `ts`."""
    channels = draw(
        st.dictionaries(st.sampled_from(FIELDS), numbers, min_size=1, max_size=len(FIELDS))
    )
    others = draw(st.dictionaries(texts.filter(lambda name: name not in (*FIELDS, "ts")), texts))
    time = draw(st.one_of(st.integers(0, 2 * 10**9), st.just("2024-05-01T12:00:00Z")))
    return json.dumps(
        {**others, "ts": time, **channels}, indent=draw(st.none() | st.just(1))
    ).encode()


bad_values = st.one_of(
    st.sampled_from(
        [
            None,
            b"",
            b"null",
            b"[]",
            b"7",
            b'"text"',
            b"{",
            b'{"ts":1,"a":1},{"ts":1,"a":2}',
            b'{"ts":1,"a":1',
            b'"b":2}',
            b'{"ts":1,"a":nan}',
            b'{"ts":1,"a":-Infinity}',
            b'{"ts":1,"a":1e999}',
            b'{"ts":1,"a":1e39}',
            b'{"ts":1,"a":"1"}',
            b'{"ts":1,"a":[1]}',
            b'{"ts":1}',
            b'{"a":1}',
            b'{"ts":null,"a":1}',
            b'{"ts":"yesterday","a":1}',
            b'{"ts":1e21,"a":1}',
            b"\xff\xfe\x00",
            b'{"ts":1,"a":1}}',
            b'{"ts":1,"a":' + b"[" * 5_000,
            b'{"ts":1,"a":1,"deep":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        ]
    ),
    st.binary(max_size=30).filter(lambda value: not value.strip().startswith(b"{")),
)
good_keys = st.none() | texts.map(str.encode)
bad_keys = st.sampled_from([b"\xff", b"k" * 257])


@st.composite
def messages(draw: st.DrawFn) -> list[Expected]:
    """Messages good and bad, interleaved, at consecutive offsets of one partition."""
    kinds = draw(st.lists(st.sampled_from(["good", "good", "value", "key"]), max_size=12))
    expected = []
    for offset, kind in enumerate(kinds):
        value = draw(bad_values if kind == "value" else good_values())
        key = draw(bad_keys if kind == "key" else good_keys)
        expected.append(Expected(Message(3, offset, key, value, 1_700_000_000_000), kind == "good"))
    return expected


@st.composite
def polls(draw: st.DrawFn, epochs: list[dict[int, tuple[int, int]]]) -> list[Poll]:
    """Ranges (partition -> (start, stop) of each epoch) cut into polls.

    The pieces are of any sizes, and partitions come in any order; epochs follow one another.
    """
    found: list[Poll] = []
    for ranges in epochs:
        pieces = {p: draw(_cuts(p, start, stop)) for p, (start, stop) in ranges.items()}
        order = draw(st.permutations([p for p in pieces for _ in pieces[p]]))
        found.append([])  # A poll that finds nothing.
        for p in order:
            if p in [q for q, _, _ in found[-1]] or draw(st.booleans()):
                found.append([])
            found[-1].append(pieces[p].pop(0))
    return found


def _cuts(partition: int, start: int, stop: int) -> st.SearchStrategy[Poll]:
    """A range in consecutive pieces."""
    places = st.sets(st.integers(start + 1, max(stop - 1, start + 1)), max_size=4)
    return places.map(sorted).map(
        lambda cuts: [(partition, a, b) for a, b in pairwise([start, *cuts, stop]) if a < b]
    )


def slice_of(items: list[Message]) -> Slice:
    """A slice of consecutive messages of one partition."""
    start = items[0].offset if items else 0
    partition = items[0].partition if items else 0
    return Slice(partition, 1, start, start + len(items), items)


def first_decoded(decoder: Decoder, piece: Slice, schema: Schema | None = None) -> Decoded:
    """What a stream's first slice decodes to: it decides the columns where nothing else did."""
    return decoder.decode(
        piece, schema or decoder.named or decoder.choose([decoder.sample(piece)]).schema
    )
