"""What the learner's process says with every answer besides the value that was asked for."""

from __future__ import annotations

import msgspec

from streamssl.data.events import StreamsslError
from streamssl.host.base import Written
from streamssl.host.learner import LearnerStatus


class AnswerHeader(msgspec.Struct, array_like=True):
    """How a request went, and what else the engine wants to know.

    Attributes:
        status: Where the learner stands; None after an error.
        exit_code: Of the error that prevented the answer, 0 where there is none.
        error: Its text.
        remember_s: Seconds that the last copy of the state took.
        stage_times: Stages that ran since the last answer, with their seconds.
        written: Checkpoints whose writing has ended since.
    """

    status: LearnerStatus | None
    exit_code: int = 0
    error: str = ""
    remember_s: float = 0.0
    stage_times: list[tuple[str, float]] = []
    written: list[Written] = []

    @classmethod
    def refusal(cls, error: StreamsslError) -> AnswerHeader:
        """The header of a request that an error prevented."""
        return cls(None, error.exit_code, str(error))

    def raised(self) -> StreamsslError | None:
        """The error as the engine raises it, None where there is none."""
        if not self.exit_code:
            return None
        error = StreamsslError(self.error)
        error.exit_code = self.exit_code
        return error
