"""Which fields of an event are its columns: the named ones, or those of the first event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from streamssl.config.sections import InputConfig
from streamssl.data.events import Schema, StreamsslError

MAX_AUTO_FIELDS = 4_096
# Of a stream whose columns nothing has decided yet.
NO_COLUMNS = Schema(())


class FieldNamesError(StreamsslError):
    """The configured field names contradict one another."""

    exit_code = 2


def named_schema(
    fields: Literal["auto"] | Sequence[str], texts: Sequence[str], config: InputConfig
) -> Schema | None:
    """The configured columns, None where the first readable event decides the numbers.

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


def number_names(
    names: Iterable[str], config: InputConfig, texts: Sequence[str] = ()
) -> tuple[str, ...]:
    """Of the numeric fields `names`, those that are an event's numbers under `fields: auto`."""
    special = {config.time_field, config.key_field, *texts}
    return tuple(
        name
        for name in names
        if name not in special
        and not any(fnmatchcase(name, pattern) for pattern in config.ignore_fields)
    )


def array_names(values_field: str, num_values: int) -> tuple[str, ...]:
    """Names of the numbers of one array field under `fields: auto`.

    Example:
        >>> array_names("values", 2)
        ('values[0]', 'values[1]')
    """
    return tuple(f"{values_field}[{i}]" for i in range(num_values))


def auto_schema(names: tuple[str, ...], texts: Sequence[str], config: InputConfig) -> Schema:
    """The columns of a stream whose first event has the numbers `names`.

    `NO_COLUMNS` where they are too many, or an array's that holds none: that decides nothing.
    """
    if len(names) > MAX_AUTO_FIELDS or (config.values_field is not None and not names):
        return NO_COLUMNS
    return Schema(names, tuple(texts))
