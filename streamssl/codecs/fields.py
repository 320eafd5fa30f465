"""Which fields of an event are its columns: the named ones, or those that the first events have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal

from streamssl.config.sections import InputConfig
from streamssl.data.channels import MAX_FIELDS, Choice, SampledEvent, choose
from streamssl.data.events import Schema, StreamsslError

# Of a stream whose columns nothing has decided yet.
NO_COLUMNS = Schema(())


class FieldNamesError(StreamsslError):
    """The configured field names contradict one another."""

    exit_code = 2


def named_schema(
    fields: Literal["auto"] | Sequence[str], texts: Sequence[str], config: InputConfig
) -> Schema | None:
    """The configured columns, None where the first events decide the numbers.

    Raises:
        FieldNamesError: A name has two meanings.
    """
    named = () if fields == "auto" else tuple(fields)
    check_names((*named, *texts), config)
    return None if fields == "auto" else Schema(named, tuple(texts))


def check_names(names: Sequence[str], config: InputConfig) -> None:
    """Refuse columns that are named twice, or are the time or the key as well.

    Raises:
        FieldNamesError: A name has two meanings.
    """
    special = (config.time_field, config.key_field, config.values_field)
    count = Counter([*names, *(name for name in special if name)])
    twice = [name for name in count if count[name] > 1]
    if twice:
        raise FieldNamesError(
            f"field {twice[0]!r} has two meanings; name it once among modality.fields, "
            "input.time_field, input.key_field and input.values_field"
        )


def array_names(values_field: str, num_values: int) -> tuple[str, ...]:
    """Names of the numbers of one array field under `fields: auto`.

    Example:
        >>> array_names("values", 2)
        ('values[0]', 'values[1]')
    """
    return tuple(f"{values_field}[{i}]" for i in range(num_values))


def choose_columns(
    events: Sequence[SampledEvent],
    *,
    input: InputConfig,  # noqa: A002 (the YAML section's name)
    texts: Sequence[str] = (),
    typed: Collection[str] = (),
    required: bool = False,
) -> Choice:
    """The columns of a stream under `fields: auto`, by its first events.

    Args:
        events: Those of each partition in order.
        input: What is time, key and array of values, and which fields are ignored.
        texts: Names of the text columns.
        typed: Fields that are numbers by their type, even where they hold no value.
        required: Whether an event must have all of them.
    """
    if input.values_field is not None:
        return _choose_array(events, texts)
    return choose(
        events,
        special=set(input.special_fields().values()),
        ignored=input.ignore_fields,
        texts=texts,
        typed=typed,
        required=required,
    )


def _choose_array(events: Sequence[SampledEvent], texts: Sequence[str]) -> Choice:
    """The numbers of an array, of which most events have as many: they have no names to go by."""
    most = Counter(tuple(event.cells) for event in events if event.cells).most_common(1)
    if not most or len(most[0][0]) > MAX_FIELDS:
        return Choice(None, num_events=len(events))
    return Choice(Schema(most[0][0], tuple(texts)), num_events=len(events))
