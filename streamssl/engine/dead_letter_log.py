"""Dead letters in the log: the first of a kind as an example, then a summary a minute."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from streamssl.codecs.fault_kinds import FaultKind, KindCounts, fault_kind
from streamssl.codecs.remedies import remedy_of
from streamssl.data.events import DeadLetter
from streamssl.telemetry.log_events import tell
from streamssl.telemetry.pace import MINUTE_S

log = logging.getLogger(__name__)

SAMPLE_BYTES = 200
# So many inputs say something about the stream; half of them unreadable is a problem of its own.
ENOUGH_INPUTS = 20
# Kinds of a reason that get a line of their own; of further ones the summaries tell.
MAX_TOLD = 8
MAX_DETAIL_CHARS = 500


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
        self._known: dict[str, set[FaultKind]] = defaultdict(set)
        self._reasons: Counter[str] = Counter()
        self._kinds: KindCounts[DeadLetter] = KindCounts()
        self._num_inputs = 0
        self._num_told = 0
        self._told_s = clock()
        self.problem: str | None = None

    def observe(self, letters: Sequence[DeadLetter], num_events: int) -> None:
        """Count what was read, and tell the first letter of each kind."""
        self._num_inputs += num_events + len(letters)
        for letter in letters:
            kind = fault_kind(letter.reason, letter.detail)
            self._reasons[letter.reason] += 1
            self._kinds.add(kind, letter)
            known = self._known[letter.reason]
            if kind not in known and len(known) < MAX_TOLD:
                known.add(kind)
                self._num_told += 1
                tell(log, "dead_letter", **self._told(letter))
        if self._is_mostly_dead():
            self.problem = self._told_problem()

    def turned(self, *, ending: bool = False) -> None:
        """Once a minute sum up, where there is more than was told already."""
        if not ending and self._clock() - self._told_s < MINUTE_S:
            return
        if self._reasons.total() > self._num_told:
            self._sum_up()
        if self._num_inputs and not self._is_mostly_dead():
            self.problem = None
        self._reasons.clear()
        self._kinds.clear()
        self._num_inputs = self._num_told = 0
        self._told_s = self._clock()

    def _sum_up(self) -> None:
        letter, num_commonest = self._commonest()
        tell(
            log,
            "dead_letters",
            num=self._reasons.total(),
            num_inputs=self._num_inputs,
            reasons=dict(self._reasons.most_common()),
            num_commonest=num_commonest,
            **self._told(letter),
        )

    def _is_mostly_dead(self) -> bool:
        return 2 * self._reasons.total() >= max(self._num_inputs, ENOUGH_INPUTS)

    def _commonest(self) -> tuple[DeadLetter, int]:
        found = self._kinds.commonest()
        assert found, "asked only where there are letters"
        return found

    def _told_problem(self) -> str:
        told = self._told(self._commonest()[0])
        example = f" (an example: {told['sample']})" if told["sample"] else ""
        return (
            f"{self._reasons.total()} of {self._num_inputs} inputs could not be read "
            f"({', '.join(self._reasons)}), most often: {told['detail']}{example}; {told['remedy']}"
        )

    def _told(self, letter: DeadLetter) -> dict[str, Any]:
        """What the log says of a letter."""
        message = letter.message
        return {
            "reason": letter.reason,
            "detail": letter.detail[:MAX_DETAIL_CHARS],
            "topic": self._topic,
            "partition": message.partition,
            "offset": message.offset,
            "index": letter.index,
            "sample": printable(message.value or b"") if self._samples else None,
            "remedy": remedy_of(letter),
        }
