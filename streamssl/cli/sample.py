"""What a sample of the input says: channels, keys, times, dead letters, and what mends each.

B = events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from streamssl.codecs.base import Decoder, Sample
from streamssl.codecs.fault_kinds import FaultKind, fault_kind
from streamssl.codecs.registry import build_codec
from streamssl.codecs.remedies import remedy, remedy_of
from streamssl.config import Config
from streamssl.data.channels import Choice, against
from streamssl.data.events import BadFields, BoolArray, DeadLetter, EventBatch, FloatArray, Slice
from streamssl.data.listing import listed

MAX_SHOWN = 20
# From so many events on, a key for every event is no chance.
LEAST_EVENTS = 20
AHEAD_S, OLD_S = 300.0, 86_400.0


def sample_report(config: Config, pieces: Sequence[Slice], *, now_s: float) -> list[str]:
    """What a start would make of these messages, a line a fact and a hint a line.

    Args:
        config: Says how they are read.
        pieces: Consecutive messages of some partitions.
        now_s: Seconds since 1970.
    """
    num_messages = sum(len(piece.payload) for piece in pieces)
    if not num_messages:
        return ["sample: there is no message to look at"]
    decoder = build_codec(config).decoder
    samples = [decoder.sample(piece) for piece in pieces]
    choice = _choice(decoder, samples)
    decoded = [decoder.decode(piece, choice.schema) for piece in pieces]
    batch = EventBatch.concat([part.batch for part in decoded])
    letters = [letter for part in decoded for letter in part.dead_letters]
    lines = [
        *_channels(decoder, choice),
        *_keys(config, batch, choice),
        *_times(config, batch, now_s),
        *_bad_fields([bad for part in decoded for bad in part.bad_fields]),
        *_dead_letters(letters, num_messages, len(batch)),
    ]
    place = f"{num_messages} messages of {len(pieces)} partitions"
    return [f"sample: the newest {place}, read beside the group", *(f"  {line}" for line in lines)]


def _choice(decoder: Decoder, samples: Sequence[Sample]) -> Choice:
    choice = decoder.choose(samples)
    carried = frozenset().union(*(sample.names for sample in samples))
    return choice if decoder.named is None else against(choice, decoder.named, carried)


def _channels(decoder: Decoder, choice: Choice) -> Iterator[str]:
    """The columns, and every other field with the reason."""
    schema = choice.schema
    if schema is None:
        yield "channels: none, for no message of the sample has numbers in fields of its own"
        yield "  name the codec in input.codec, an array of numbers in input.values_field, or set"
        yield "  input.numbers_as_text where they are written as text"
    else:
        how = "auto, by this sample" if decoder.named is None else "modality"
        yield f"channels: {listed(schema.fields + schema.texts)} ({how})"
    for name, _, hint in choice.left_out[:MAX_SHOWN]:
        yield f"  without {name}: {hint}"
    if len(choice.left_out) > MAX_SHOWN:
        yield f"  without {len(choice.left_out) - MAX_SHOWN} more fields"
    if choice.absent:
        absent = list(choice.absent)
        yield f"  no message has {listed(absent)}: correct the names in the section modality"
        yield from (f"  {name}: {hint}" for name, hint in list(choice.absent.items())[:MAX_SHOWN])


def _keys(config: Config, batch: EventBatch, choice: Choice) -> Iterator[str]:
    """How many keys there are, and whether they do what keys are for."""
    if not len(batch):
        return
    partitions: dict[str, set[int]] = defaultdict(set)
    keys = batch.keys.to_pylist()
    for key, partition in zip(keys, batch.partition.tolist(), strict=True):
        partitions[key].add(partition)
    num_without = keys.count("")
    named = {key: places for key, places in partitions.items() if key}
    source = config.input.key_field or "the records' own"
    yield f"keys ({source}): {len(named)} in {len(keys)} events, {num_without} without one"
    if num_without > len(keys) / 2:
        found = [left.name for left in choice.left_out if left.reason == "key"]
        where = f"; {listed(found)} may be it" if found else ""
        yield "  most events have no key, and are one stream: set input.key_field where there are"
        yield f"  several machines or sensors, or key the records{where}"
    spread = [key for key, places in named.items() if len(places) > 1]
    if spread:
        yield f"  in several partitions, each of which learns it anew: {listed(spread)}; let the"
        yield "  producer choose the partition by the key"
    if len(named) == len(keys) >= LEAST_EVENTS:
        yield "  every event has a key of its own, and none lives long enough to be judged: set"
        yield "  input.key_field to what names the machine or sensor"


def _times(config: Config, batch: EventBatch, now_s: float) -> Iterator[str]:
    """From when the events are, and whether they come in order."""
    if not len(batch):
        return
    first_s, last_s = float(batch.event_time.min()), float(batch.event_time.max())
    num_late = sum(_num_late(batch.event_time[rows_B]) for rows_B in _by_partition(batch))
    source = config.input.time_field or "the records' own"
    away = _span(abs(now_s - last_s)) + (" ahead of now" if last_s > now_s else " ago")
    order = f"{num_late} older than the event before" if num_late else "in order"
    yield f"times ({source}): {_moment(first_s)} to {_moment(last_s)}, {away}; {order}"
    if last_s > now_s + AHEAD_S:
        yield "  in the future: correct the producer's clock, or the field in input.time_field"
    elif last_s < now_s - OLD_S:
        yield "  long ago: where this is no old data, correct input.time_field, or leave it out"
        yield "  to take the records' timestamps"
    if num_late:
        yield "  events are taken in the order of their partition: send them in order, or name"
        yield "  another field in input.time_field"
    if first_s == last_s and len(batch) >= LEAST_EVENTS:
        yield "  all events are of one moment: set input.time_field to the field with their time"


def _by_partition(batch: EventBatch) -> Iterator[BoolArray]:
    for partition in np.unique(batch.partition).tolist():
        yield batch.partition == partition


def _num_late(time_B: FloatArray) -> int:
    return int((np.diff(time_B) < 0).sum())


def _bad_fields(found: Sequence[BadFields]) -> Iterator[str]:
    """Fields that would count as missing (`input.on_bad_field: missing`), by reason."""
    by_reason: dict[str, list[BadFields]] = defaultdict(list)
    for bad in found:
        by_reason[bad.reason].append(bad)
    for reason, of_reason in sorted(by_reason.items()):
        num_fields = sum(bad.num_fields for bad in of_reason)
        first = of_reason[0].detail
        yield f"bad fields: {num_fields} {reason}, counted as missing (first: {first})"
        yield f"  {remedy(reason)}"


def _dead_letters(
    letters: Sequence[DeadLetter], num_messages: int, num_events: int
) -> Iterator[str]:
    """What would be dead letters, by kind, with an example and what mends it."""
    yield f"dead letters: {len(letters)}, and {num_events} events, of {num_messages} messages"
    by_kind: dict[FaultKind, list[DeadLetter]] = defaultdict(list)
    for letter in letters:
        by_kind[fault_kind(letter.reason, letter.detail)].append(letter)
    kinds = sorted(by_kind.values(), key=lambda of_kind: -len(of_kind))
    for of_kind in kinds[:MAX_SHOWN]:
        first = of_kind[0]
        place = f"partition {first.message.partition}, offset {first.message.offset}"
        yield f"  {len(of_kind)} {first.reason} (first at {place}: {first.detail})"
        yield f"    {remedy_of(first)}"
    if len(kinds) > MAX_SHOWN:
        yield f"  and {len(kinds) - MAX_SHOWN} more kinds"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(seconds: float) -> str:
    """A length of time for a person.

    Example:
        >>> _span(90.0), _span(7_200.0), _span(200_000.0)
        ('90 s', '2.0 h', '2.3 days')
    """
    if seconds < 600.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 3_600:.1f} h" if seconds < OLD_S else f"{seconds / OLD_S:.1f} days"
