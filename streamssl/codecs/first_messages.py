"""The columns of a file of messages: decided by its first ones, as the daemon would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from streamssl.codecs.base import Decoder, Sample
from streamssl.codecs.fields import NO_COLUMNS
from streamssl.codecs.remedies import remedy
from streamssl.codecs.table_fields import TableError
from streamssl.data.channels import FIRST_EVENTS, SAMPLE_ROWS, Choice, against
from streamssl.data.events import Message, Slice
from streamssl.data.listing import MAX_SHOWN


def messages_choice(pieces: Iterable[list[Message]], decoder: Decoder) -> Choice:
    """The configured columns, or those that the first events have.

    Raises:
        TableError: No field is a number and no text is named, or no message can be read.
    """
    first = list(islice((message for piece in pieces for message in piece), SAMPLE_ROWS))
    chosen = decoder.choose(list(_samples(first, decoder)))
    if decoder.named is not None:
        carried = decoder.sample(_slice(first)).names if first else ()
        chosen = against(chosen, decoder.named, carried)
    if first:
        check_readable(_slice(first), decoder, chosen)
    return chosen


def check_readable(first: Slice, decoder: Decoder, chosen: Choice) -> None:
    """Refuse a file none of whose first rows can be read, messages or rows of a table.

    Raises:
        TableError: It says why the first cannot, and what mends it.
    """
    decoded = decoder.decode(first, chosen.schema or NO_COLUMNS)
    if len(decoded.batch) or not decoded.dead_letters:
        return
    letter = decoded.dead_letters[0]
    hints = [f"{name!r}: {hint}" for name, _, hint in chosen.left_out[:MAX_SHOWN]]
    mends = hints if chosen.schema is None else [_remedy(letter.reason)]
    raise TableError(
        f"none of the first {first.stop - first.start} rows can be read: {letter.reason}: "
        + "; ".join([letter.detail, *mends])
    )


def _samples(messages: Sequence[Message], decoder: Decoder) -> Iterator[Sample]:
    """Samples until they hold as many events as decide."""
    num_events = 0
    for message in messages:
        if num_events >= FIRST_EVENTS:
            return
        sample = decoder.sample(_slice([message]))
        num_events += len(sample.events)
        yield sample


def _remedy(reason: str) -> str:
    return "write one JSON object a line, in UTF-8" if reason == "bad_json" else remedy(reason)


def _slice(messages: Sequence[Message]) -> Slice:
    first, last = messages[0], messages[-1]
    return Slice(first.partition, 0, first.offset, last.offset + 1, list(messages))
