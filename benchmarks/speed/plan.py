"""What a run measures, and how much of it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from streamssl.config.sections import LearnConfig
from streamssl.config.settings import Config, load_config
from streamssl.data.events import StreamsslError

PARTS = ("stages", "kafka", "memory", "latency", "keys")
NUM_PARTITIONS = 4
NUM_CHANNELS = 16
NUM_KEYS = 1_000
DEFAULT_EVENTS = 120_000
# More than one trained sample per 4 events, and a backlog must not thin learning.
TRAINED_PER_EVENT = max(0.3, LearnConfig().samples_per_event)
SETTINGS = (f"learn.samples_per_event={TRAINED_PER_EVENT}", "learn.thin_above_lag=1000000000")
# The statistics alone.
CORE = (
    "learner.enabled=false",
    "alerts.neighbours=0",
    "scorers.residual.enabled=false",
    "outputs.embeddings.enabled=false",
)


# Told what is being measured.
Say = Callable[[str], None]


class TooFewEventsError(StreamsslError):
    """A part was asked for that so few events cannot give."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class SpeedPlan:
    """Sizes of a run.

    Attributes:
        events: Events of each Kafka row; everything else follows from it.
        seed: Of the generated events.
        overrides: Settings of ours, in every row, after those of the benchmark.
    """

    events: int = DEFAULT_EVENTS
    seed: int = 0
    overrides: tuple[str, ...] = ()

    @property
    def settings(self) -> tuple[str, ...]:
        """Settings of ours as `section.key=value`."""
        return (*SETTINGS, *self.overrides)

    @property
    def memory_events(self) -> int:
        """Events of each in-memory row of ours, as many again before them."""
        return max(self.events // 3, 256)

    @property
    def peer_events(self) -> int:
        """Events that the peers in memory get at most."""
        return max(self.events // 6, 256)

    @property
    def key_counts(self) -> tuple[int, ...]:
        """Numbers of keys whose cost per event is compared."""
        return tuple(10**power for power in range(1, 6) if 10**power <= max(self.events, 100))

    @property
    def latency_s(self) -> float:
        """Seconds of load at half the rate."""
        return float(min(max(self.events / 2_000, 5.0), 90.0))

    def check(self, parts: Collection[str]) -> None:
        """Refuse parts that need more events.

        Raises:
            TooFewEventsError: For `stages`: the first transaction of a bare client is not timed.
        """
        transaction = self.config().delivery.max_events
        if "stages" in parts and self.events < 2 * transaction:
            raise TooFewEventsError(
                f"the part stages needs two full transactions, {2 * transaction:,} events "
                f"(2 x delivery.max_events), and there are {self.events:,}: give --events "
                f"{2 * transaction}, or fewer events a transaction "
                f"(--set delivery.max_events={self.events // 2})"
            )

    def config(self, *overrides: str) -> Config:
        """The configuration of ours, from the defaults only."""
        return load_config(None, [*self.settings, *overrides], environ={})
