"""The tree of settings: which dotted paths exist and what lies at each."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from streamssl.config.modalities import DEFAULT_MODALITY, modality_section
from streamssl.config.renamed import OLD_SECTIONS, RENAMED
from streamssl.config.root import Config
from streamssl.config.sections import ModalityConfig, Section

Path = tuple[str, ...]


def dotted(path: Path) -> str:
    """`("kafka", "bootstrap_servers")` as `kafka.bootstrap_servers`."""
    return ".".join(path)


class Tree:
    """The settings of a configuration whose events are of one kind.

    Args:
        kind: Of the modality.

    Raises:
        PluginError: There is no such kind, or its section cannot be imported.
    """

    def __init__(self, kind: str = DEFAULT_MODALITY.kind) -> None:
        self._modality = modality_section(kind)
        self._fields = dict(self._walk(Config, ()))

    def field_at(self, path: Path) -> FieldInfo | None:
        """The section or setting at a path (an old one, too), None where there is none."""
        return self._fields.get(RENAMED.get(path, path))

    def section_at(self, path: Path) -> type[BaseModel] | None:
        """The section at a path (an old one, too), None where a setting or nothing lies there."""
        field = self.field_at(path)
        if field is None and path in OLD_SECTIONS:
            return Section
        return None if field is None else self._section_of(field)

    def settings(self) -> Iterator[tuple[Path, FieldInfo]]:
        """Every setting (no sections), in the order of the file."""
        return (
            (path, field) for path, field in self._fields.items() if self._section_of(field) is None
        )

    def sections(self) -> Iterator[tuple[Path, type[BaseModel]]]:
        """Every section, sections within sections included, in the order of the file."""
        for path, field in self._fields.items():
            section = self._section_of(field)
            if section is not None:
                yield path, section

    def keys(self) -> tuple[str, ...]:
        """The dotted paths of all sections and settings."""
        return tuple(dotted(path) for path in self._fields)

    def is_secret(self, path: Path) -> bool:
        """True where the value at a path must never be shown."""
        field = self.field_at(path)
        return field is not None and SecretStr in _members(field.annotation)

    def is_text(self, path: Path) -> bool:
        """True where the setting takes text and nothing but text."""
        field = self.field_at(path)
        return field is not None and not _members(field.annotation) - {str, SecretStr, type(None)}

    def _walk(self, model: type[BaseModel], prefix: Path) -> Iterator[tuple[Path, FieldInfo]]:
        for name, field in model.model_fields.items():
            yield (*prefix, name), field
            section = self._section_of(field)
            if section is not None:
                yield from self._walk(section, (*prefix, name))

    def _section_of(self, field: FieldInfo) -> type[BaseModel] | None:
        held = field.annotation
        if held is ModalityConfig:
            return self._modality
        return held if isinstance(held, type) and issubclass(held, BaseModel) else None


def _members(annotation: Any) -> set[Any]:
    is_union = get_origin(annotation) in (Union, UnionType)
    return set(get_args(annotation)) if is_union else {annotation}
