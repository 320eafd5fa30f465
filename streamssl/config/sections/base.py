"""What every section is, and the kinds of values that several have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

# What int64 holds: states, frames and random generators carry no more.
_TOO_LARGE = 2**63

Count = Annotated[int, Field(ge=1)]
Ratio = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0)]
Seconds = Annotated[float, Field(gt=0.0)]
Broken = tuple[str, str]


class Section(BaseModel):
    """Unknown keys are errors, values are immutable, and rules between them are kept."""

    # A refused value may be a secret in the wrong place, so pydantic must not repeat it.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    def broken_rules(self) -> Iterator[Broken]:
        """Each rule between settings that does not hold: (key, what is wrong and what to do).

        The key is the dotted path within the section, empty where the whole of it is meant.
        """
        yield from ()

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        broken = [*self._too_large(), *self.broken_rules()]
        if broken:
            text = "; ".join(f"{key}: {what}" if key else what for key, what in broken)
            raise PydanticCustomError("rules", "{text}", {"text": text, "broken": broken})
        return self

    def _too_large(self) -> Iterator[Broken]:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, int) and value >= _TOO_LARGE:
                yield name, f"must be below {_TOO_LARGE}, got {value}"
