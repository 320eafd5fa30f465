"""A look at what landed: the channels, the keys and the times of the input."""

from __future__ import annotations

from streamssl.codecs.base import Decoder
from streamssl.config.root import Config
from streamssl.data.channels import Choice
from streamssl.data.events import Schema
from streamssl.data.results import EpochReport
from streamssl.engine.channel_watch import ChannelWatch
from streamssl.engine.key_watch import KeyWatch
from streamssl.engine.pending import PendingTransaction
from streamssl.engine.summary import Summary
from streamssl.engine.time_watch import TimeWatch
from streamssl.telemetry import Metrics
from streamssl.transport.base import Transaction


class InputWatch:
    """Warns of input that is not what was meant; nothing that is scored depends on it.

    Args:
        config: The configuration.
        decoder: Knows which fields events have.
        metrics: The metric catalogue.
        summary: What the run has done.
        live: False for files, of which most have one key.
    """

    def __init__(
        self,
        *,
        config: Config,
        decoder: Decoder,
        metrics: Metrics,
        summary: Summary,
        live: bool,
    ) -> None:
        special = frozenset(config.input.special_fields().values())
        self._channels = ChannelWatch(
            decoder=decoder, special=special, metrics=metrics, summary=summary
        )
        self._keys = KeyWatch(
            alerts=config.alerts,
            wants_keys=live or config.input.key_field is not None,
            metrics=metrics,
            summary=summary,
        )
        self._times = TimeWatch(
            by_field=config.input.time_field is not None, in_order=not live, summary=summary
        )

    def began(self, schema: Schema | None) -> None:
        """The start is over; the columns that the state or the configuration has, if any."""
        if schema is not None:
            self._channels.begin(schema)

    def chose(self, choice: Choice) -> None:
        """The columns are known, and what was left out."""
        self._channels.chose(choice)

    def landed(self, pending: PendingTransaction, landed: Transaction) -> None:
        """`landed` is what landed of a transaction."""
        scored = [(p, results) for p, part in landed.parts.items() for results in part.results]
        self._channels.observe([(pending.parts[p].pieces, r.batch) for p, r in scored])
        for partition, results in scored:
            self._keys.observe(partition, results)
            self._times.observe(results.batch)

    def epoch_closed(self, report: EpochReport) -> None:
        """An epoch was learnt."""
        self._keys.epoch_closed(report)
