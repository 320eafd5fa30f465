"""Topics: the input must exist, the outputs are checked or made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka import KafkaAdminClient, OffsetSpec, TopicPartition, errors
from kafka.admin import ConfigResource, MemberToRemove

from streamssl.config.sections import OutputsConfig
from streamssl.transport.base import TransportUnavailableError
from streamssl.transport.kafka.failures import CLIENT_ERRORS
from streamssl.transport.kafka.security import Settings

# Apache Kafka's default of max.message.bytes, for topics whose settings may not be read.
DEFAULT_RECORD_BYTES = 1_048_576
# What output topics are made to take: eight times the default, for dead letters hold what came.
RECORD_BYTES = 8 * 2**20

_BY_HAND = "create it by hand, or grant the user create"
_REMEDIES = {"InvalidReplicationFactorError": "lower outputs.replication_factor, or write -1"}

# What output topics are made with. The journal is kept for ever: the transport itself deletes
# what no checkpoint needs. Spaces are compacted: the newest word on each space is what counts.
TOPIC_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "scores": {"max.message.bytes": str(RECORD_BYTES)},
    "embeddings": {"max.message.bytes": str(RECORD_BYTES)},
    "incidents": {"max.message.bytes": str(RECORD_BYTES)},
    "dlq": {"max.message.bytes": str(RECORD_BYTES)},
    "journal": {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(RECORD_BYTES),
    },
    "spaces": {"cleanup.policy": "compact", "max.message.bytes": str(RECORD_BYTES)},
}


class Admin:
    """What is asked of the cluster itself.

    Args:
        settings: What all clients share.

    Attributes:
        client: The library's, for questions that are asked in one place only.
    """

    def __init__(self, settings: Settings) -> None:
        self.client = KafkaAdminClient(**settings)
        self._bootstrap = ",".join(settings["bootstrap_servers"])

    def num_partitions(self, topic: str) -> int:
        """Partitions of an existing topic.

        Raises:
            TransportUnavailableError: It does not exist or may not be read.
        """
        found = self._partitions([topic])[topic]
        if found == 0:
            raise TransportUnavailableError(
                f"the topic {topic} does not exist on {self._bootstrap}; create it "
                f"(kafka-topics.sh --bootstrap-server {self._bootstrap} --create --topic {topic} "
                "--partitions 4) or correct input.topic"
            )
        return found

    def ensure_outputs(self, app: str, num_partitions: int, outputs: OutputsConfig) -> None:
        """Make absent output topics, and add the partitions that existing ones lack.

        A result goes to the partition number of its input.

        Raises:
            TransportUnavailableError: A topic or partition is absent and may not be made.
        """
        wanted = wanted_outputs(app, num_partitions, outputs)
        found = self._partitions(list(wanted))
        absent = {topic: spec for topic, spec in wanted.items() if not found[topic]}
        if absent and not outputs.create_topics:
            raise TransportUnavailableError(
                f"output topics are missing on {self._bootstrap}: {', '.join(sorted(absent))}; "
                "create them or set outputs.create_topics: true"
            )
        if absent:
            self._create(absent)
            found = {**found, **{t: int(spec["num_partitions"]) for t, spec in absent.items()}}
        for topic, spec in wanted.items():
            if found[topic] < spec["num_partitions"]:
                self._add_partitions(
                    topic, found[topic], spec["num_partitions"], outputs.create_topics
                )

    def try_outputs(self, app: str, num_partitions: int, outputs: OutputsConfig) -> list[str]:
        """Ask whether absent output topics could be made, and make none; their names.

        Raises:
            TransportUnavailableError: The broker would not make one of them.
        """
        wanted = wanted_outputs(app, num_partitions, outputs)
        absent = self.absent(list(wanted))
        if absent and outputs.create_topics:
            self._create({topic: wanted[topic] for topic in absent}, only_try=True)
        return absent

    def absent(self, topics: list[str]) -> list[str]:
        """Those of `topics` that do not exist."""
        found = self._partitions(topics)
        return [topic for topic in topics if not found[topic]]

    def record_limits(self, topics: list[str]) -> dict[str, int]:
        """Largest record of each topic, in bytes."""
        try:
            resources = [ConfigResource("TOPIC", topic) for topic in topics]
            told = self.client.describe_configs(resources, config_filter="all")["topic"]
            return {t: int(told[t]["max.message.bytes"]["value"]) for t in topics}
        except (*CLIENT_ERRORS, KeyError):  # reading settings needs a right of its own
            return dict.fromkeys(topics, DEFAULT_RECORD_BYTES)

    def uncommitted_end(self, tp: TopicPartition) -> int:
        """Position after everything written, whether committed or not."""
        return int(self.client.list_partition_offsets({tp: OffsetSpec.LATEST})[tp].offset)

    def delete_before(self, tp: TopicPartition, position: int) -> None:
        """Records before `position` may go."""
        self.client.delete_records({tp: position})

    def has_positions(self, group: str, topic: str) -> bool:
        """Whether a group has committed a position in any partition of a topic."""
        return any(tp.topic == topic for tp in self.client.list_group_offsets(group)[group])

    def member_id(self, group: str, member: str) -> str | None:
        """The id under which a static member is in the group, None where it is not."""
        found = self.client.describe_groups([group])[group]["members"]
        ids = (m["member_id"] for m in found if m["group_instance_id"] == member)
        return next(ids, None)

    def remove_member(self, group: str, member: str, member_id: str) -> None:
        """Take a static member out of the group, so that its partitions move at once.

        Nothing happens where it is out already, or another process has taken its name.
        """
        leaving = MemberToRemove(member_id=member_id, group_instance_id=member)
        fine = (errors.NoError, errors.UnknownMemberIdError, errors.FencedInstanceIdError)
        for kind in self.client.remove_group_members(group, [leaving]).values():
            if kind not in fine:
                raise kind(f"{member} cannot leave the group {group}")

    def create(self, topic: str, num_partitions: int) -> None:
        """Make one topic with the broker's settings, and wait until it can be used."""
        self._create({topic: {"num_partitions": num_partitions}})

    def close(self) -> None:
        """Close the admin client's connections."""
        self.client.close()

    def _partitions(self, topics: list[str]) -> dict[str, int]:
        """Number of partitions of each topic, 0 where it does not exist."""
        described = {t["name"]: t for t in self.client.describe_topics(topics)}
        for topic, told in described.items():
            if told["error_code"] == errors.TopicAuthorizationFailedError.errno:
                raise TransportUnavailableError(
                    f"the topic {topic} may not be described; grant the user read (input) or "
                    "write (outputs) and describe on it, or correct its name"
                )
        return {t: len(described.get(t, {}).get("partitions", [])) for t in topics}

    def _add_partitions(self, topic: str, found: int, wanted: int, allowed: bool) -> None:
        refusal = ""
        if allowed:
            try:
                self.client.create_partitions({topic: wanted})
                return
            except errors.BrokerResponseError as error:
                refusal = f" ({type(error).__name__})"
        raise TransportUnavailableError(
            f"{topic} has {found} partitions but needs {wanted}{refusal}; add them "
            f"(kafka-topics.sh --bootstrap-server {self._bootstrap} --alter --topic {topic} "
            f"--partitions {wanted})"
        )

    def _create(self, specs: Mapping[str, Mapping[str, Any]], only_try: bool = False) -> None:
        new = {topic: dict(spec) for topic, spec in specs.items()}
        answer = self.client.create_topics(new, validate_only=only_try, raise_errors=False)
        fine = {0, errors.TopicAlreadyExistsError.errno}  # another instance was quicker
        for told in answer["topics"]:
            if told["error_code"] not in fine:
                kind = errors.for_code(told["error_code"]).__name__
                raise TransportUnavailableError(
                    f"the topic {told['name']} could not be made: {kind} "
                    f"({told.get('error_message')}); {_REMEDIES.get(kind, _BY_HAND)}"
                )
        if not only_try:
            self.client.wait_for_topics(list(specs))


def wanted_outputs(
    app: str, num_partitions: int, outputs: OutputsConfig
) -> dict[str, dict[str, Any]]:
    """The output topics and what they are made with."""
    own = {"journal": outputs.journal_partitions, "spaces": 1}
    return {
        f"{app}.{word}": {
            "num_partitions": own.get(word, num_partitions),
            "replication_factor": outputs.replication_factor,
            "configs": dict(TOPIC_SETTINGS[word]),
        }
        for word in outputs.written()
    }
