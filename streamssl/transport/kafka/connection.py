"""Everything that is open towards the broker: all of it, or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial

from kafka import TopicPartition

from streamssl.config.root import Config
from streamssl.telemetry.log_events import tell
from streamssl.transport.kafka.assignments import Assignments
from streamssl.transport.kafka.at_least_once import AtLeastOnce
from streamssl.transport.kafka.exactly_once import ExactlyOnce
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.fence import Fence
from streamssl.transport.kafka.group_consumer import GroupConsumer
from streamssl.transport.kafka.journal_reader import JournalReader
from streamssl.transport.kafka.output_writer import OutputWriter
from streamssl.transport.kafka.producer import Producer
from streamssl.transport.kafka.range_reader import RangeReader, open_reader
from streamssl.transport.kafka.retry import RetryPolicy
from streamssl.transport.kafka.security import client_settings
from streamssl.transport.kafka.subscription import Subscription
from streamssl.transport.kafka.topics import Admin, wanted_outputs

log = logging.getLogger(__name__)

# How long the consumer may take to close: a planned stop does not wait for a broker that is away.
CLOSE_S = 2.0


class Connection:
    """The clients of one instance; opening them checks topics and fences earlier processes.

    Args:
        config: Of which the sections app, kafka, delivery, input and outputs are read.
        retry_policy: Records failures; bounds how long opening may take.

    Raises:
        TransportUnavailableError: Not reachable in time, or a topic is missing or forbidden.
    """

    def __init__(self, config: Config, retry_policy: RetryPolicy) -> None:
        app, self._kafka, self._outputs = config.app, config.kafka, config.outputs
        self._app, self._instance = app.name, app.instance
        self._topic, self._start = config.input.topic, config.input.start
        self._exactly_once = config.delivery.mode == "exactly_once"
        self._member = f"{app.name}-{app.instance}"
        self._settings = client_settings(config.kafka)
        self._retry_policy = retry_policy
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
        retry = self._retry_policy.retry
        self.num_partitions, _ = retry(self._check_topics)
        # A producer learns of new partitions within minutes; a new one knows them at once.
        self.writer.replace_producer(partial(retry, self.writer.new_producer))

    def release_journal(self, position: int) -> None:
        """Journal records before `position` may be deleted; a failure is left for next time."""
        try:
            self.admin.delete_before(self._journal_tp, position)
        except CLIENT_ERRORS as error:
            self._retry_policy.record_failure(error)

    @property
    def _journal_tp(self) -> TopicPartition:
        return TopicPartition(f"{self._app}.journal", self._instance)

    def _connect(self) -> None:
        retry = self._retry_policy.retry
        self.admin = retry(lambda: Admin(self._settings))
        self._finally(self.admin.close)
        self.num_partitions, limits = retry(self._check_topics)
        self.writer = self._new_writer(limits)
        self.writer.replace_producer(partial(retry, self.writer.new_producer))
        self._finally(self.writer.discard_producer)
        self.subscription = retry(self._new_subscription)
        self._finally(self._leave)
        self.input_reader = self._new_reader(self._topic)
        self.journal = JournalReader(
            self._new_reader(self._journal_tp.topic),
            self.admin,
            tp=self._journal_tp,
            retry_policy=self._retry_policy,
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
            subscription=self.subscription,
            writer=self.writer,
            journal=self.journal,
            admin=self.admin,
            retry_policy=self._retry_policy,
        )

    def _new_writer(self, limits: Mapping[str, int]) -> OutputWriter:
        return OutputWriter(
            partial(Producer, self._settings),
            request_timeout_ms=self._kafka.request_timeout_ms,
            transaction_timeout_ms=self._kafka.transaction_timeout_ms,
            limits=limits,
            fence=self._new_fence() if self._exactly_once else None,
        )

    def _new_fence(self) -> Fence:
        wanted = wanted_outputs(self._app, self.num_partitions, self._outputs)
        return Fence(self.admin.client, transactional_id=self._member, outputs=list(wanted))

    def _new_subscription(self) -> Subscription:
        at_end = self._before_the_group() if self._start == "latest" else frozenset[int]()
        assignments = Assignments()
        consumer = GroupConsumer(
            self._settings,
            topic=self._topic,
            group=self._app,
            member=self._member,
            session_timeout_ms=self._kafka.session_timeout_ms,
            assignments=assignments,
        )
        return Subscription(
            consumer,
            assignments,
            topic=self._topic,
            at_end=at_end,
            retry_policy=self._retry_policy,
        )

    def _before_the_group(self) -> frozenset[int]:
        """Partitions that were there before the group began; none where it has positions.

        Who has none in a group that has some was added since.
        """
        began = self.admin.has_positions(self._app, self._topic)
        return frozenset() if began else frozenset(range(self.num_partitions))

    def _new_reader(self, topic: str) -> RangeReader:
        reader = open_reader(
            self._settings, topic=topic, admin=self.admin, retry_policy=self._retry_policy
        )
        self._finally(reader.close)
        return reader

    def _leave(self) -> None:
        """Leave the group, if this process is in it.

        A static member never says itself that it leaves: without its removal the group would
        wait for its session to time out.
        """
        member_id = self.subscription.member_id()  # closing forgets it
        try:
            self.subscription.close(CLOSE_S)
        finally:
            # A broker that is away would only hold us up.
            if member_id and not self._retry_policy.current_failure:
                self.admin.remove_member(self._app, self._member, member_id)

    def _finally(self, free: Callable[[], None]) -> None:
        """Call it at `close`, newest first, whatever becomes of the others."""

        def freed() -> None:
            try:
                free()
            except CLIENT_ERRORS as error:
                tell(log, "not_closed", error=f"{type(error).__name__}: {error}")

        self._opened.callback(freed)
