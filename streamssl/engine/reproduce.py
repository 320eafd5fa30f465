"""A separate process reproduces what a daemon published, from its journal and its input."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from streamssl.checkpoint import CorruptCheckpointError
from streamssl.checkpoint.store import Checkpoint, checkpoints, load
from streamssl.codecs.registry import build_codec
from streamssl.config.environment import environment_hash
from streamssl.config.root import Config
from streamssl.engine.input_topic import other_topic
from streamssl.engine.ports import Codec
from streamssl.engine.positions import Positions
from streamssl.engine.record_file import Write, record_file
from streamssl.engine.recovery import (
    InputDiffersError,
    InputReader,
    JournalBrokenError,
    Reproduction,
)
from streamssl.engine.start import CHECKPOINTS
from streamssl.host import HostedLearner
from streamssl.host.local import LocalHost
from streamssl.learner.build import build
from streamssl.stream import StreamLearner
from streamssl.telemetry.log_events import tell
from streamssl.transport.journal import MIGRATED, JournalRecord
from streamssl.transport.kafka.readonly import KafkaReadonly

log = logging.getLogger(__name__)

Journal = list[tuple[int, JournalRecord]]


class JournalSource(InputReader, Protocol):
    """A journal and the input that it speaks of."""

    def journal(self, position: int) -> tuple[Journal, int]:
        """The records from `position` on, and the oldest position kept."""


@dataclass(frozen=True)
class Reproduced:
    """What was found while a journal was reproduced.

    Attributes:
        records: Journal records applied again.
        events: Events scored again.
        first_epoch: Epoch that it began with.
        epoch: The open epoch at the end.
        state_crc32c: Digest of the state that scores it: the daemon's own, if none differ.
        differing_epochs: Epochs that another state had scored (another build, machine or
            configuration; see `rebased` in the journal): their bytes are not the published ones.
    """

    records: int
    events: int
    first_epoch: int
    epoch: int
    state_crc32c: int
    differing_epochs: list[int]


def reproduce_journal(config: Config, output: Path) -> int:
    """Reproduce on Kafka what an instance published; one line of JSON tells what was found.

    The daemon may run meanwhile. It begins with the first transaction from which the
    journal is whole: the first of all, or the one after the oldest kept checkpoint. The output
    appears when all is reproduced; an error or SIGTERM before leaves nothing.

    Returns:
        Exit code: 0 where every state was the one that had published, else 1.
    """
    codec = build_codec(config)
    learner = StreamLearner.from_config(config)
    with record_file(output, config.app.name) as write, _source(config) as source:
        found = reproduce(config, source=source, learner=learner, codec=codec, write=write)
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    return 1 if found.differing_epochs else 0


def _source(config: Config) -> KafkaReadonly:
    return KafkaReadonly(config)


def reproduce(
    config: Config,
    *,
    source: JournalSource,
    learner: HostedLearner,
    codec: Codec,
    write: Write,
) -> Reproduced:
    """Repeat every transaction of a journal.

    Args:
        config: Of the daemon; its state directory is read where the journal has been shortened.
        source: Journal and input.
        learner: Fresh.
        codec: As the daemon's.
        write: Takes what each transaction published, by partition of the output topics.

    Raises:
        JournalBrokenError: Neither the first transaction nor a checkpoint begins a journal
            without gaps.
        InputExpiredError: Input of a transaction is no longer kept.
        InputDiffersError: The input is not what was read.
    """
    records, _ = source.journal(0)
    positions = _begin(config, records, learner)
    first_epoch = learner.epoch
    environment = environment_hash(config, build())
    reproduction = Reproduction(LocalHost(learner), codec, source, positions, environment)
    wanted = [(position, record) for position, record in records if record.seq > positions.seq]
    _check_topic(config, positions, wanted)
    for position, record in wanted:
        published = reproduction.apply(record, position, publishing=True)
        for partition, outputs in published.by_partition() if published else ():
            write(partition, outputs)
    return Reproduced(
        records=len(wanted),
        events=reproduction.num_events,
        first_epoch=first_epoch,
        epoch=learner.epoch,
        state_crc32c=reproduction.state_crc32c,
        differing_epochs=sorted(reproduction.differing),
    )


def _check_topic(config: Config, positions: Positions, wanted: Journal) -> None:
    other = other_topic(config.input.topic, positions, (record for _, record in wanted))
    if other:
        raise InputDiffersError(
            f"the journal of instance {config.app.instance} of {config.app.name} is of the topic "
            f"{other}, and input.topic is {config.input.topic}: set it to {other}"
        )


def _begin(config: Config, records: Journal, learner: HostedLearner) -> Positions:
    """Load the earliest state from which the journal is whole."""
    begun_fresh = not records or records[0][1].epoch == learner.epoch  # Not by --init-from.
    if begun_fresh and _whole([record for _, record in records], seq=0):
        return Positions()
    for path in reversed(checkpoints(config.app.state_dir / CHECKPOINTS)):
        found = _load(path)
        if found is None:
            continue
        positions = Positions.from_state_dict(found.state["engine"])
        after = [record for _, record in records if record.seq > positions.seq]
        if _whole(after, seq=positions.seq):
            learner.load_state_dict(found.state["learner"])
            return positions
    raise JournalBrokenError(
        f"the journal of instance {config.app.instance} of {config.app.name} does not reach back "
        f"to the beginning of a fresh state (one without --init-from), nor to a checkpoint in "
        f"{config.app.state_dir}: point app.state_dir to the daemon's state directory"
    )


def _whole(records: list[JournalRecord], seq: int) -> bool:
    """Whether the records go on from `seq`, no epoch left out and no channel changed since."""
    numbers = [record.seq for record in records]
    changes = (change for record in records for change in record.changes)
    breaks = [change for change in changes if change.startswith(("gap", MIGRATED))]
    return numbers == list(range(seq + 1, seq + 1 + len(records))) and not breaks


def _load(path: Path) -> Checkpoint | None:
    try:
        return load(path)
    except CorruptCheckpointError as error:  # Or removed by the daemon meanwhile.
        tell(log, "checkpoint_unusable", error=error)
        return None
