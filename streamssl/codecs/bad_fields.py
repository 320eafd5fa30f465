"""What becomes of an event with a field that is no number, and why: `input.on_bad_field`.

B = rows, C = numbers of an event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from streamssl.codecs.dead_letters import Fault
from streamssl.codecs.rows import Faults
from streamssl.config.sections import InputConfig
from streamssl.data.events import BadFields, BoolArray, FloatArray, IntArray
from streamssl.data.ranges import is_beyond

BEYOND = "is infinite or beyond the range of float32"
# What was kept of rows: how many fields are missing by which fault.
Kept = dict[int, list[tuple[Fault, int]]]


class Judged(NamedTuple):
    """Rows judged by their numbers.

    Attributes:
        faults: Of the rows that are dead letters.
        kept: Of the rows that are events without their bad fields.
    """

    faults: Faults
    kept: Kept


class FieldPolicy:
    """Whether a bad field costs the event, or only itself.

    Args:
        config: `on_bad_field`.
        required: Whether an event must have all its numbers: then a bad field costs it.
    """

    def __init__(self, config: InputConfig, *, required: bool) -> None:
        self.keeps = config.on_bad_field == "missing" and not required

    def judge(
        self,
        values_BC: FloatArray,
        wrong_BC: BoolArray | None,
        detail: Callable[[str, int, int], str],
    ) -> Judged:
        """Judge rows by their numbers; bad ones that are missing become NaN in place.

        Args:
            values_BC: The numbers that were read.
            wrong_BC: True where there is something that is no number; None where there is none.
            detail: What exactly is wrong, by reason, row and place.
        """
        masks = {"not_finite": is_beyond(values_BC)}
        if wrong_BC is not None:
            masks = {"wrong_type": wrong_BC, **masks}
        judged = Judged({}, {})
        for reason, bad_BC in masks.items():
            if not bad_BC.any():
                continue
            for row in np.flatnonzero(bad_BC.any(axis=1)).tolist():
                fault = Fault(reason, detail(reason, row, int(bad_BC[row].argmax())))
                if self.keeps:
                    judged.kept.setdefault(row, []).append((fault, int(bad_BC[row].sum())))
                else:
                    judged.faults.setdefault(row, fault)
            if self.keeps:
                values_BC[bad_BC] = np.nan
        return judged


def bad_fields(
    kept: Kept, faults: Faults, offset_B: IntArray, index_B: IntArray | int = 0
) -> tuple[BadFields, ...]:
    """What the events lack, of the rows that are events.

    Args:
        kept: Of rows.
        faults: Of the rows that are dead letters after all.
        offset_B: Of the message of every row.
        index_B: Place of every row in its message.
    """
    index_B = np.broadcast_to(index_B, offset_B.shape)
    return tuple(
        BadFields(int(offset_B[row]), int(index_B[row]), fault.reason, fault.detail, num)
        for row in sorted(kept)
        if row not in faults
        for fault, num in kept[row]
    )


def named_detail(fields: Sequence[str]) -> Callable[[str, int, int], str]:
    """Details that say no more than the field's name and the kind of fault."""

    def detail(reason: str, row: int, place: int) -> str:  # noqa: ARG001 (as judges call it)
        what = "is no number" if reason == "wrong_type" else BEYOND
        return f"field {fields[place]!r} {what}"

    return detail
