"""How log lines are declared and told: each event once, with its level, words and fields.

A line is told by the name of its event, so that what an operator may read is known: the table
`EVENTS` is the documentation (docs/logs.md) and the only place of the words.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from streamssl.telemetry.log_events.engine import ENGINE
from streamssl.telemetry.log_events.others import OTHERS, TRANSPORT
from streamssl.telemetry.log_events.state import STATE
from streamssl.telemetry.log_events.stream import STREAM


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One kind of log line.

    Attributes:
        name: Its stable name, the line's field `event`.
        level: As the standard library names it.
        text: Its message; `{field}` stands for the value of one of its fields.
        fields: Names of what else the line says.
        when: When it is told.
    """

    name: str
    level: str
    text: str
    fields: tuple[str, ...]
    when: str


EVENTS = {
    name: LogEvent(name, level, text, tuple(fields.split()), when)
    for table in (ENGINE, STATE, STREAM, TRANSPORT, OTHERS)
    for name, (level, text, fields, when) in table.items()
}
# Their number is bounded where they are told: none of them is held back as a repetition.
PACED = frozenset(
    {"incident", "dead_letter", "dead_letters", "lines_held_back", "phase", "partitions", "drift"}
)


def tell(log: logging.Logger, name: str, *, with_traceback: bool = False, **fields: Any) -> None:
    """Log one event of the table.

    Args:
        log: The logger of the module that tells it.
        name: Of the event.
        with_traceback: Whether to add the exception that is being handled.
        fields: What the line says besides its words; those that these name are needed.
    """
    event = EVENTS[name]
    level = logging.getLevelNamesMapping()[event.level]
    if log.isEnabledFor(level):
        text = event.text.format(**fields)
        log.log(level, text, exc_info=with_traceback, extra={"event": name, **fields}, stacklevel=2)
