"""The JSON object that a stream's events are: a typed parser, and its columns.

The type is built once from the field names, so that one pass of the parser checks every value
and leaves nothing to look at event by event. B = events, C = channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np

from streamssl.codecs.columns import Faults
from streamssl.codecs.dead_letters import Fault
from streamssl.config.sections import InputConfig
from streamssl.data.events import Float32Array

Number = float | bool
_FIRST_BYTES_OF_NUMBERS = b"-0123456789tf"
_names = msgspec.json.Decoder(dict[str, msgspec.Raw])


class JsonLayout:
    """How an event with the channels `fields` is written in JSON.

    Args:
        fields: Names of the channels.
        config: Where the time, the key and the array of values are.
        required: Whether every channel must be there and not null.
    """

    def __init__(self, *, fields: Sequence[str], config: InputConfig, required: bool) -> None:
        self.fields = tuple(fields)
        self._by_array = config.values_field is not None
        self._decoder = msgspec.json.Decoder(_event_type(self.fields, config, required))
        self._channels = [attrgetter(f"c{i}") for i in range(len(self.fields))]

    def parse(self, values: Sequence[bytes]) -> tuple[list[Any], Faults]:
        """The readable objects, and a fault for every other message.

        One bad message costs one exception; the others go through the parser in one sweep.
        """
        events: list[Any] = []
        faults: Faults = {}
        rest = iter(values)
        while True:
            try:
                events.extend(map(self._decoder.decode, rest))
            except RecursionError:
                self._parse_again(values, events, faults)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                faults[len(events) + len(faults)] = parse_fault(error)
            else:
                return events, faults

    def _parse_again(self, values: Sequence[bytes], events: list[Any], faults: Faults) -> None:
        row = len(events) + len(faults)
        try:
            events.append(on_fresh_stack(self._decoder.decode, values[row]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            faults[row] = parse_fault(error)

    def channel_values(self, events: Sequence[Any]) -> tuple[Float32Array, Faults]:
        """`[B, C]` values, NaN where null or absent, and the rows with another count."""
        if not self._by_array:
            values_BC = np.empty((len(events), len(self.fields)), np.float32)
            for channel, column in enumerate(self._channels):
                values_BC[:, channel] = _float32(partial(map, column, events), len(events))
            return values_BC, {}
        return self._array_values(list(map(attrgetter("values"), events)))

    def _array_values(self, arrays: list[list[Any]]) -> tuple[Float32Array, Faults]:
        width = len(self.fields)
        count_B = np.fromiter(map(len, arrays), np.int64, len(arrays))
        faults: Faults = {}
        for row in np.flatnonzero(count_B != width).tolist():
            faults[row] = Fault("wrong_count", f"expected {width} values, got {count_B[row]}")
            arrays[row] = [0.0] * width
        flat = _float32(partial(chain.from_iterable, arrays), len(arrays) * width)
        return flat.reshape(len(arrays), width), faults

    def carries_no_channel(self, value: bytes) -> bool:
        """Whether a readable message names none of the channels (an array is always named)."""
        return not self._by_array and not on_fresh_stack(_names.decode, value).keys() & set(
            self.fields
        )


def numeric_names(value: bytes) -> list[str]:
    """Fields of a JSON object whose values look like numbers or booleans, in their order.

    Raises:
        msgspec.DecodeError: It is no JSON object.
        RecursionError: It is nested too deeply.
    """
    items = on_fresh_stack(_names.decode, value).items()
    return [name for name, raw in items if bytes(raw)[0] in _FIRST_BYTES_OF_NUMBERS]


def array_length(value: bytes, values_field: str) -> int:
    """Number of values in the array field of a JSON object.

    Raises:
        msgspec.DecodeError: It has no such array of numbers.
        RecursionError: It is nested too deeply.
    """
    columns = [("values", list[Number | None])]
    decoder = msgspec.json.Decoder(
        msgspec.defstruct("Array", columns, rename={"values": values_field})
    )
    return len(on_fresh_stack(decoder.decode, value).values)


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


def parse_fault(error: Exception) -> Fault:
    """Why the parser refused a message."""
    text = str(error)
    if isinstance(error, RecursionError):
        return Fault("too_deep", "nested deeper than the parser goes")
    if not isinstance(error, msgspec.ValidationError):
        return Fault("bad_json", text)
    if text.startswith("Number out of range"):
        return Fault("not_finite", text)
    missing = text.startswith("Object missing required field") or "got `null` - at" in text
    return Fault("missing_field" if missing else "wrong_type", text)


def _event_type(
    fields: tuple[str, ...], config: InputConfig, required: bool
) -> type[msgspec.Struct]:
    number: Any = Number if required else Number | None
    columns: list[Any] = []
    names: dict[str, str] = {}
    if config.values_field is not None:
        columns.append(("values", list[number]))
        names["values"] = config.values_field
    else:
        # NaN, not None, where a channel is absent: a column of numbers alone is read the fastest.
        absent = () if required else (float("nan"),)
        columns += [(f"c{i}", number, *absent) for i in range(len(fields))]
        names |= {f"c{i}": name for i, name in enumerate(fields)}
    if config.time_field is not None:
        columns.append(("time", float | str))
        names["time"] = config.time_field
    if config.key_field is not None:
        columns.append(("key", str | int))
        names["key"] = config.key_field
    return msgspec.defstruct("Event", columns, rename=names, gc=False, kw_only=True)


def _float32(numbers: Callable[[], Iterable[Any]], count: int) -> Float32Array:
    # A number beyond float32 becomes infinite here, and is refused by the caller.
    with np.errstate(over="ignore"):
        try:
            return np.fromiter(numbers(), np.float32, count)
        except TypeError:  # has None, which becomes NaN: a little slower
            return np.array(list(numbers()), np.float32)
