"""What the engine works with: transport, learner and codec, known by what they promise alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from streamssl.codecs.base import Decoder
from streamssl.data.events import DeadLetter, OutputRecord
from streamssl.data.results import Results
from streamssl.engine.input_watch import InputWatch
from streamssl.engine.metrics import MetricsReporter
from streamssl.host import Host
from streamssl.transport.base import Transport


class Codec(Protocol):
    """Bytes to columns on the way in, columns to bytes on the way out."""

    @property
    def decoder(self) -> Decoder:
        """Reads the input's messages or rows."""

    def encode(
        self, results: Results | None, dead_letters: tuple[DeadLetter, ...]
    ) -> list[OutputRecord]:
        """Records for one partition's part of one transaction; None where no event was read."""


@dataclass(frozen=True)
class Ports:
    """What all parts of one engine share.

    Attributes:
        transport: Input, output and journal.
        host: Of the learner.
        codec: Bytes to columns and back.
        reporter: Told what happens.
        watch: Told of the channels and keys of what landed.
        clock: Seconds that only grow.
        stopping: Set from outside (a signal) to drain and end.
    """

    transport: Transport
    host: Host
    codec: Codec
    reporter: MetricsReporter
    watch: InputWatch
    clock: Callable[[], float]
    stopping: threading.Event
