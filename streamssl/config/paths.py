"""The tree of settings: which dotted paths exist and what lies at each."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from streamssl.config.root import Config

Path = tuple[str, ...]


def dotted(path: Path) -> str:
    """`("kafka", "bootstrap_servers")` as `kafka.bootstrap_servers`."""
    return ".".join(path)


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds, None where it holds a value."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def field_at(path: Path) -> FieldInfo | None:
    """The section or setting at a path, None where there is none."""
    return _tree().get(path)


def settings() -> Iterator[tuple[Path, FieldInfo]]:
    """Every setting (no sections), in the order of the file."""
    return ((path, field) for path, field in _tree().items() if section_of(field) is None)


def sections() -> Iterator[tuple[Path, type[BaseModel]]]:
    """Every section, sections within sections included, in the order of the file."""
    for path, field in _tree().items():
        section = section_of(field)
        if section is not None:
            yield path, section


def key_paths() -> tuple[str, ...]:
    """The dotted paths of all sections and settings."""
    return tuple(dotted(path) for path in _tree())


def is_secret(path: Path) -> bool:
    """True where the value at a path must never be shown."""
    field = field_at(path)
    return field is not None and SecretStr in _members(field.annotation)


def is_text(path: Path) -> bool:
    """True where the setting takes text and nothing but text."""
    field = field_at(path)
    return field is not None and not _members(field.annotation) - {str, SecretStr, type(None)}


@cache
def _tree() -> dict[Path, FieldInfo]:
    return dict(_walk(Config, ()))


def _walk(model: type[BaseModel], prefix: Path) -> Iterator[tuple[Path, FieldInfo]]:
    for name, field in model.model_fields.items():
        yield (*prefix, name), field
        section = section_of(field)
        if section is not None:
            yield from _walk(section, (*prefix, name))


def _members(annotation: Any) -> set[Any]:
    is_union = get_origin(annotation) in (Union, UnionType)
    return set(get_args(annotation)) if is_union else {annotation}
