"""Everything that is open towards the broker: made whole, or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from kafka import TopicPartition

from streamssl.config.root import Config
from streamssl.transport.kafka.at_least_once import AtLeastOnce
from streamssl.transport.kafka.clients import library_of
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.fence import Fence
from streamssl.transport.kafka.journal_reader import JournalReader
from streamssl.transport.kafka.outbox import Outbox
from streamssl.transport.kafka.patience import TROUBLE, Patience
from streamssl.transport.kafka.reader import RangeReader, open_reader
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.source import Source
from streamssl.transport.kafka.topics import Admin, wanted_outputs

log = logging.getLogger(__name__)

CLOSE_S = 2.0


class Connection:
    """The clients of one instance; opening them checks topics and fences earlier processes.

    Args:
        config: Of which the sections app, kafka, delivery, input and outputs are read.
        patience: Told about trouble; bounds how long opening may take.

    Raises:
        TransportUnavailableError: Not reachable in time, or a topic is missing or forbidden.
    """

    def __init__(self, config: Config, patience: Patience) -> None:
        app, self._kafka, self._outputs = config.app, config.kafka, config.outputs
        self._app, self._instance = app.name, app.instance
        self._topic, self._start = config.input.topic, config.input.start
        self._exactly_once = config.delivery.mode == "exactly_once"
        self._member = f"{app.name}-{app.instance}"
        self._settings = client_settings(config.kafka)
        self._library = library_of(config.kafka)
        self._patience = patience
        self._opened = ExitStack()
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Leave the group at once (a planned stop) and free everything."""
        self._opened.close()

    def follow_growth(self) -> None:
        """The input has more partitions than at the start: the outputs must follow."""
        retry = self._patience.retry
        self.num_partitions, _ = retry(self._check_topics)
        # A producer learns of new partitions within minutes; a new one knows them at once.
        self.outbox.drop()
        self.outbox.use(retry(self.outbox.build))

    def release_journal(self, position: int) -> None:
        """Journal records before `position` may be deleted; a failure is left for next time."""
        try:
            self.admin.delete_before(self._journal_tp, position)
        except TROUBLE as error:
            self._patience.note(error)

    @property
    def _journal_tp(self) -> TopicPartition:
        return TopicPartition(f"{self._app}.journal", self._instance)

    def _connect(self) -> None:
        retry = self._patience.retry
        self.admin = retry(lambda: Admin(self._settings))
        self._finally(self.admin.close)
        self.num_partitions, limits = retry(self._check_topics)
        self.outbox = self._new_outbox(limits)
        self.outbox.use(retry(self.outbox.build))
        self._finally(self.outbox.drop)
        self.source = retry(self._new_source)
        self._finally(self._leave)
        self.inputs = self._new_reader(self._topic)
        self.journal = JournalReader(
            self._new_reader(self._journal_tp.topic),
            self.admin,
            tp=self._journal_tp,
            patience=self._patience,
        )
        self.committer = self._new_committer(limits)

    def _check_topics(self) -> tuple[int, Mapping[str, int]]:
        """Check input and output topics: the input's partitions, each output's largest record."""
        num_partitions = self.admin.num_partitions(self._topic)
        self.admin.ensure_outputs(self._app, num_partitions, self._outputs)
        wanted = wanted_outputs(self._app, num_partitions, self._outputs)
        return num_partitions, self.admin.record_limits(list(wanted))

    def _new_committer(self, limits: Mapping[str, int]) -> ExactlyOnce | AtLeastOnce:
        kind = ExactlyOnce if self._exactly_once else AtLeastOnce
        return kind(
            app=self._app,
            input_topic=self._topic,
            instance=self._instance,
            member=self._member,
            limits=limits,
            source=self.source,
            outbox=self.outbox,
            journal=self.journal,
            admin=self.admin,
            patience=self._patience,
        )

    def _new_outbox(self, limits: Mapping[str, int]) -> Outbox:
        return Outbox(
            self._library,
            request_timeout_ms=self._kafka.request_timeout_ms,
            transaction_timeout_ms=self._kafka.transaction_timeout_ms,
            limits=limits,
            fence=self._new_fence() if self._exactly_once else None,
        )

    def _new_fence(self) -> Fence:
        wanted = wanted_outputs(self._app, self.num_partitions, self._outputs)
        return Fence(self.admin.client, transactional_id=self._member, outputs=list(wanted))

    def _new_source(self) -> Source:
        return Source(
            self._library,
            topic=self._topic,
            group=self._app,
            member=self._member,
            start=self._start,
            patience=self._patience,
        )

    def _new_reader(self, topic: str) -> RangeReader:
        reader = open_reader(self._settings, topic=topic, admin=self.admin, patience=self._patience)
        self._finally(reader.close)
        return reader

    def _leave(self) -> None:
        """Leave the group, if this process is in it.

        A static member never says itself that it leaves: without its removal the group would
        wait for its session to time out.
        """
        member_id = self.source.member_id()  # closing forgets it
        try:
            self.source.close(CLOSE_S)
        finally:
            if member_id and not self._patience.trouble:  # a broker that is away holds us up
                self.admin.remove_member(self._app, self._member, member_id)

    def _finally(self, free: Callable[[], None]) -> None:
        """Call it at `close`, newest first, whatever becomes of the others."""

        def freed() -> None:
            try:
                free()
            except TROUBLE as error:
                log.warning("not closed in order: %s: %s", type(error).__name__, error)

        self._opened.callback(freed)
