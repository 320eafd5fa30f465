"""Dead letters in the log: the first of a reason as an example, then a summary a minute."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from streamssl.codecs.remedies import remedy
from streamssl.data.events import DeadLetter
from streamssl.telemetry.log_events import tell
from streamssl.telemetry.pace import MINUTE_S

log = logging.getLogger(__name__)

SAMPLE_BYTES = 200
# So many inputs say something about the stream; half of them unreadable is a problem of its own.
ENOUGH_INPUTS = 20


def printable(data: bytes) -> str:
    r"""The first bytes of a message as text of one line; what cannot be printed is escaped.

    Example:
        >>> print(printable(bytes([123, 10, 255])))
        {\n\xff
    """
    text = data[:SAMPLE_BYTES].decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class DeadLetterLog:
    """Tells of what could not be read, and never too often.

    Args:
        topic: The input topic.
        samples: Whether the first bytes of a message may be shown.
        clock: Seconds that only grow.

    Attributes:
        problem: That most of the input cannot be read, in words; None while it can.
    """

    def __init__(self, *, topic: str, samples: bool, clock: Callable[[], float]) -> None:
        self._topic, self._samples, self._clock = topic, samples, clock
        self._known: set[str] = set()
        self._reasons: Counter[str] = Counter()
        self._num_inputs = 0
        self._num_told = 0
        self._told_s = clock()
        self.problem: str | None = None

    def observe(self, letters: Sequence[DeadLetter], num_events: int) -> None:
        """Count what was read, and tell the first letter of each reason."""
        self._num_inputs += num_events + len(letters)
        for letter in letters:
            self._reasons[letter.reason] += 1
            if letter.reason not in self._known:
                self._known.add(letter.reason)
                self._num_told += 1
                self._tell_first(letter)
        if self._is_mostly_dead():
            self.problem = (
                f"{self._reasons.total()} of {self._num_inputs} inputs could not be read "
                f"({', '.join(self._reasons)}): see `dead_letter` in the log for what mends it"
            )

    def turned(self, *, ending: bool = False) -> None:
        """Once a minute sum up, where there is more than was told already."""
        if not ending and self._clock() - self._told_s < MINUTE_S:
            return
        num, num_inputs = self._reasons.total(), self._num_inputs
        if num > self._num_told:
            reasons = dict(self._reasons.most_common())
            tell(log, "dead_letters", num=num, num_inputs=num_inputs, reasons=reasons)
        if num_inputs and not self._is_mostly_dead():
            self.problem = None
        self._reasons.clear()
        self._num_inputs = self._num_told = 0
        self._told_s = self._clock()

    def _is_mostly_dead(self) -> bool:
        return 2 * self._reasons.total() >= max(self._num_inputs, ENOUGH_INPUTS)

    def _tell_first(self, letter: DeadLetter) -> None:
        message = letter.message
        tell(
            log,
            "dead_letter",
            reason=letter.reason,
            detail=letter.detail,
            topic=self._topic,
            partition=message.partition,
            offset=message.offset,
            index=letter.index,
            sample=printable(message.value or b"") if self._samples else None,
            remedy=letter.remedy or remedy(letter.reason),
        )
