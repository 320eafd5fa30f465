"""The typed parser of a JSON object: one type, built from the names of the fields.

A name with dots is a field of that very name, or else a path: `sensors.rpm` is `rpm` in the object
`sensors`. B = events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

Number = float | bool
# Whatever JSON has, so that the parser refuses none of it.
Anything = Number | str | list[Any] | dict[str, Any] | None
NO_OBJECT: list[Any] = []


class Wanted(NamedTuple):
    """A field to be read.

    Attributes:
        name: As it is written, or the path to it.
        kind: Its type.
        default: What stands where it is absent; `UNSET`: it must not be.
    """

    name: str
    kind: Any
    default: Any = UNSET


class Place(NamedTuple):
    """Where parsed events have a field.

    Attributes:
        flat: Gives the value of the field that has the whole name.
        inner: Gives the value at the end of the path; None where the name is no path.
        path: Attributes on that way.
    """

    flat: Callable[[Any], Any]
    inner: Callable[[Any], Any] | None = None
    path: tuple[str, ...] = ()

    def cells(self, events: Sequence[Any]) -> list[Any]:
        """`[B]` values of the field; `UNSET` or the default where it is absent."""
        cells = list(map(self.flat, events))
        if self.inner is None:
            return cells
        pairs = zip(cells, self.inner_cells(events), strict=True)
        return [inner if _is_absent(flat) else flat for flat, inner in pairs]

    def inner_cells(self, events: Sequence[Any]) -> list[Any]:
        """`[B]` values at the end of the path."""
        assert self.inner is not None, "a plain name is no path"
        try:
            return list(map(self.inner, events))
        except AttributeError:  # null, or no object, on the way
            return [_walk(event, self.path) for event in events]


def typed_decoder(
    wanted: Sequence[Wanted], *, is_open: bool
) -> tuple[msgspec.json.Decoder[Any], list[Place]]:
    """A parser of objects with these fields, and where each is in what it gives.

    Args:
        wanted: The fields.
        is_open: Whether something else may stand where a path leads through an object.
    """
    names, root = {field.name for field in wanted}, _Object()
    places = []
    for field in wanted:
        steps = field.name.split(".")
        begins = {".".join(steps[:end]) for end in range(1, len(steps))}
        if not begins or not all(steps) or begins & names:
            places.append(Place(attrgetter(root.add(field.name, field))))
            continue
        optional = field
        if field.default is UNSET:
            optional = field._replace(kind=field.kind | UnsetType)
        flat = root.add(field.name, optional, optional=True)
        path = root.add_path(steps, optional)
        places.append(Place(attrgetter(flat), attrgetter(".".join(path)), path))
    return msgspec.json.Decoder(root.struct(is_open=is_open)), places


class _Object:
    """The fields of one object, and the objects in it."""

    def __init__(self) -> None:
        self._fields: list[Any] = []
        self._names: dict[str, str] = {}
        self._objects: dict[str, _Object] = {}

    def add(self, name: str, field: Wanted, *, optional: bool = False) -> str:
        """Add a field; the attribute that will hold it."""
        attribute = f"f{len(self._fields)}"
        has_default = optional or field.default is not UNSET
        default = (field.default,) if has_default else ()
        self._fields.append((attribute, field.kind, *default))
        self._names[attribute] = name
        return attribute

    def add_path(self, steps: Sequence[str], field: Wanted) -> tuple[str, ...]:
        """Add a field at the end of a path; the attributes on the way."""
        if len(steps) == 1:
            return (self.add(steps[0], field, optional=True),)
        names = list(self._objects)
        inner = self._objects.setdefault(steps[0], _Object())
        place = names.index(steps[0]) if steps[0] in names else len(names)
        return (f"o{place}", *inner.add_path(steps[1:], field))

    def struct(self, *, is_open: bool, is_inner: bool = False) -> type[msgspec.Struct]:
        """The type of the object."""
        columns, names = list(self._fields), dict(self._names)
        for place, (name, inner) in enumerate(self._objects.items()):
            kind = inner.struct(is_open=is_open, is_inner=True)
            others = Number | str | list[Any] | None if is_open else None
            columns.append((f"o{place}", kind | others, kind()))
            names[f"o{place}"] = name
        return msgspec.defstruct(
            "Event", columns, rename=names, gc=False, kw_only=True, frozen=is_inner
        )


def _is_absent(cell: Any) -> bool:
    return cell is None or cell is UNSET or cell != cell  # NaN is not itself


def _walk(event: Any, path: Sequence[str]) -> Any:
    """The value at the end of a path; None where null is on the way."""
    for step in path:
        if event is None:
            return None
        if not isinstance(event, msgspec.Struct):
            return NO_OBJECT
        event = getattr(event, step)
    return event
