"""The sections of the kinds of streams, and how a configuration chooses one by its `kind`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, core_schema

from streamssl.config.plugins import PluginError, find, names
from streamssl.config.sections import ModalityConfig, SensorConfig

MODALITY_SECTIONS: dict[str, type[ModalityConfig]] = {"sensor": SensorConfig}
DEFAULT_MODALITY = SensorConfig()
GROUP = "streamssl.modality_sections"


def modality_section(kind: str) -> type[ModalityConfig]:
    """The section of a kind: built in, or of an installed package (`plugins.py`).

    Raises:
        PluginError: There is no such kind, or its section cannot be imported.
    """
    return find(MODALITY_SECTIONS, GROUP, kind)


def modality_kinds() -> tuple[str, ...]:
    """The kinds that there are."""
    return names(MODALITY_SECTIONS, GROUP)


class _ByKind:
    """Validates by the section of the value's `kind`, looked up when it is asked for.

    A union would be the same but for one thing: its members are fixed when the class is made.
    """

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            _validated, handler(source), serialization=core_schema.simple_ser_schema("any")
        )

    def __get_pydantic_json_schema__(
        self, _: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        sections = [modality_section(kind) for kind in modality_kinds()]
        return {"anyOf": [handler(section.__pydantic_core_schema__) for section in sections]}


def _validated(value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
    if not isinstance(value, Mapping):
        return handler(value)  # A section already, or an error.
    kind = value.get("kind", DEFAULT_MODALITY.kind)
    try:
        section = modality_section(str(kind))
    except PluginError as error:
        raise _refused(kind, error) from error
    return section.model_validate(value)


def _refused(kind: Any, error: PluginError) -> ValidationError:
    """In the words of a `Literal` of all kinds, unless there is such a kind."""
    kinds = modality_kinds()
    if kind in kinds:
        details = InitErrorDetails(type="value_error", ctx={"error": error}, input=kind)
    else:
        expected = " or ".join(map(repr, kinds))
        details = InitErrorDetails(type="literal_error", ctx={"expected": expected}, input=kind)
    details["loc"] = ("kind",)
    return ValidationError.from_exception_data("modality", [details], hide_input=True)


AnyModality = Annotated[ModalityConfig, _ByKind()]
