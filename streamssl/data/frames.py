"""The columns of a pandas data frame, those of its index among them."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

from streamssl.data.auto_fields import Named, listing
from streamssl.data.named_columns import Roles, array_of, repeated


class _Level(NamedTuple):
    """One level of an index; its name is None where it has none."""

    name: str | None
    values: Any

    def is_moments(self) -> bool:
        return getattr(self.values.dtype, "kind", "") == "M"

    def is_row_number(self) -> bool:
        """Whether it is no more than pandas' own numbers of rows."""
        is_unnamed = self.name is None and self.values.dtype.kind in "iu"
        return is_unnamed or type(self.values).__name__ == "RangeIndex"

    def told(self) -> str:
        kind = self.values.dtype
        return f"{self.name!r} ({kind})" if self.name else f"one without a name ({kind})"


def frame_columns(frame: Any, roles: Roles) -> tuple[Named, Roles]:
    """A frame's columns and the levels of its index that have a role, by name.

    A level has one where `roles` name it, and as the time where none is named and it is the only
    one of timestamps. Others are left out with a warning, unless they only number the rows.

    Raises:
        ValueError: A name is there twice, or a role names neither column nor level.
    """
    names = list(map(str, frame.columns))
    if twice := repeated(names):
        raise ValueError(f"{twice} names more than one column")
    named = {name: array_of(frame.iloc[:, at]) for at, name in enumerate(names)}
    free = [level for level in _levels(frame.index) if level.name not in named]
    asked = {str(level.name): level for level in free if level.name in roles.names()}
    unasked = [level for level in free if level.name not in asked]
    if roles.time is None and (level := _only_moments(unasked)):
        time = _new_name(level.name or "index", named)
        roles, asked = roles._replace(time=time), {**asked, time: level}
    named |= {name: array_of(level.values) for name, level in asked.items()}
    rest = [x for x in free if not any(x is taken for taken in asked.values())]
    _check_names(named, roles, rest)
    _warn_of_rest([level for level in rest if len(frame) and not level.is_row_number()])
    return named, roles


def _levels(index: Any) -> list[_Level]:
    if index.nlevels == 1:
        return [_Level(_text(index.name), index)]
    return [_Level(_text(n), index.get_level_values(at)) for at, n in enumerate(index.names)]


def _text(name: Any) -> str | None:
    return None if name is None else str(name)


def _only_moments(levels: list[_Level]) -> _Level | None:
    found = [level for level in levels if level.is_moments()]
    if len(found) > 1:
        told = ", ".join(level.told() for level in found)
        raise ValueError(f"several levels of the index hold timestamps, {told}: name one as time")
    return found[0] if found else None


def _new_name(name: str, named: Named) -> str:
    return _new_name(f"{name} of the index", named) if name in named else name


def _check_names(named: Named, roles: Roles, rest: list[_Level]) -> None:
    missing = [name for name in roles.names() if name not in named]
    if missing and rest:
        told = ", ".join(level.told() for level in rest)
        raise ValueError(
            f"there is no column {missing[0]!r}; {listing(named)}; levels of the index: {told} "
            "(frame.index.names gives them names, frame.reset_index() makes columns of them)"
        )


def _warn_of_rest(levels: list[_Level]) -> None:
    if levels:
        warnings.warn(
            f"levels of the index are left out of the events: "
            f"{', '.join(level.told() for level in levels)}; give key= or time= the name of one "
            "(frame.index.names gives names), make columns of them with frame.reset_index(), or "
            "be without this warning with frame.reset_index(drop=True)",
            stacklevel=4,
        )
