"""How an instance finds its state: newest checkpoint, own journal, and the input read again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from streamssl.checkpoint import (
    CheckpointError,
    MissingStateError,
    Owner,
    WrongStateError,
    check_owner,
    note_owner,
)
from streamssl.config.agreement import channel_changes, disagreement
from streamssl.config.environment import environment_hash
from streamssl.config.root import Config
from streamssl.data.listing import listed
from streamssl.engine.input_topic import other_topic
from streamssl.engine.journal_checks import Records
from streamssl.engine.ports import Ports
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import Reproduction, recover
from streamssl.host import Host
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Start:
    """Where an instance goes on from.

    Attributes:
        positions: Where the journal ends.
        state_crc32c: CRC of the state that scores the open epoch.
        source: What the state began from: `checkpoint`, `initial` (`--init-from`) or `fresh`.
        num_events: Events reproduced since.
        num_records: Journal records that they came from.
        gap: Whether epochs could not be recovered.
        saved_epoch: Last epoch that the checkpoint contains, 0 where none was found.
        environment: Hash of configuration, build and thread count.
    """

    positions: Positions
    state_crc32c: int
    source: str
    num_events: int
    num_records: int
    gap: bool
    saved_epoch: int
    environment: str


def start(*, config: Config, ports: Ports, state_dir: Path | None, init_from: Path | None) -> Start:
    """Bring a fresh learner to where this instance's journal ends.

    Args:
        config: The configuration.
        ports: A transport that is open and not yet in the group, the host of a fresh learner, the
            codec that reads the input again.
        state_dir: Where checkpoints are.
        init_from: Where to begin if `state_dir` holds none.

    Raises:
        CheckpointError: No checkpoint is usable though there are some, `init_from` has none, or
            the state is of networks of another size, or of other columns.
        MissingStateError: `state_dir` holds no state, and the instance has a history.
        WrongStateError: `state_dir` is another instance's, or was learnt from another topic.
    """
    host, positions, source, path = ports.host, Positions(), "fresh", init_from
    owner = Owner(config.app.name, config.app.instance)
    environment = environment_hash(config, host.build())
    is_noted = state_dir is not None and check_owner(state_dir, owner)
    found = state_dir and host.restore(state_dir / CHECKPOINTS, config.checkpoint.on_corruption)
    if found:
        if found.engine is None:
            raise CheckpointError(f"{found.path} is of a learner alone; begin with --init-from")
        positions, source = Positions.from_state_dict(found.engine), "checkpoint"
        path = found.path
    elif init_from:
        _pretrained(host, init_from)
        source = "initial"
    # With the record before: if it is not there, this is another journal, or a shorter one.
    records, oldest = ports.transport.journal(max(0, positions.journal - 1))
    if state_dir and not (found or _is_whole(records, oldest, is_noted=is_noted)):
        _check_missing(config, owner, state_dir, records)
    is_one = _check_topic(config, ports.transport.topic, positions, records, has_state=bool(found))
    since = records if is_one else []
    folder = init_from if source == "initial" else None
    _check_columns(config, positions, host, since, str(path or "the state"), folder)
    if folder:
        tell(log, "state_carried", path=folder, num_keys=host.carry_keys())
    if state_dir and not is_noted:
        note_owner(state_dir, owner)
    tell(
        log,
        "recovering",
        state=source,
        path=path,
        epoch=host.epoch,
        seq=positions.seq,
        journal_position=positions.journal,
        num_records=sum(record.seq > positions.seq for _, record in records),
    )
    saved_epoch = host.epoch - 1 if found else 0
    _tell_migrated(positions, host)
    reproduction = Reproduction(
        host=host,
        codec=ports.codec,
        source=ports.transport,
        positions=positions,
        environment=environment,
    )
    gap = recover(
        reproduction,
        records,
        oldest,
        topic=ports.transport.topic,
        stopping=partial(_is_stopping, ports),
    )
    positions.topic = ports.transport.topic
    return Start(
        positions=positions,
        state_crc32c=reproduction.state_crc32c,
        source=source,
        num_events=reproduction.num_events,
        num_records=reproduction.num_records,
        gap=gap,
        saved_epoch=saved_epoch,
        environment=environment,
    )


def _is_whole(records: Records, oldest: int, *, is_noted: bool) -> bool:
    """Whether nothing is lost though no checkpoint is there.

    That is so without a history, and of a folder that is noted as this instance's and whose
    process died before its first checkpoint: the journal has all of it.
    """
    if not records:
        return oldest == 0
    return is_noted and records[0][1].seq == 1


def _check_missing(config: Config, owner: Owner, state_dir: Path, records: Records) -> None:
    """Tell that the state is lost, where the configuration lets the start go on without it."""
    last = records[-1][1] if records else None
    seq, epoch = (last.seq, last.epoch) if last else (None, None)
    if config.app.on_missing_state == "fresh":
        tell(log, "state_missing", state_dir=state_dir, seq=seq, epoch=epoch)
        return
    upto = f" (up to record {seq}, epoch {epoch})" if last else " (which has expired)"
    raise MissingStateError(
        f"the state folder {state_dir} holds no state, but {owner} has a history in its "
        f"journal{upto}: mount the folder that it ran on before, or confirm that it shall begin "
        "afresh with app.on_missing_state: fresh"
    )


def _check_topic(
    config: Config, topic: str, positions: Positions, records: Records, *, has_state: bool
) -> bool:
    """Whether the journal is of the input's topic; False where it shall be left behind.

    Raises:
        WrongStateError: State or journal are of another topic, and nobody confirmed a fresh start.
    """
    other = other_topic(topic, positions, (record for _, record in records))
    if other is None:
        return True
    if not has_state and config.app.on_missing_state == "fresh":
        return False
    what = f"the state folder {config.app.state_dir}" if has_state else "the journal"
    raise WrongStateError(
        f"{what} of instance {config.app.instance} of {config.app.name} is of the topic {other}, "
        f"and input.topic is {topic}: go back to {other}, or give {topic} an app.name and an "
        "app.state_dir of its own (to begin from what was learnt: --init-from "
        f"{config.app.state_dir / CHECKPOINTS})"
    )


def _tell_migrated(positions: Positions, host: Host) -> None:
    if positions.migrated_from and host.schema:
        changes = channel_changes(positions.migrated_from, host.schema)
        kept, new, gone = (listed(names) or "none" for names in changes.values())
        tell(log, "migrated", kept=kept, new=new, gone=gone)


def _is_stopping(ports: Ports, num_recovered: int) -> bool:
    ports.reporter.recovering(num_recovered)
    return ports.stopping.is_set()


def _pretrained(host: Host, directory: Path) -> None:
    if host.restore(directory, "previous") is None:
        raise CheckpointError(f"{directory} holds no checkpoint to begin from; see replay --save")


def _check_columns(
    config: Config,
    positions: Positions,
    host: Host,
    records: Records,
    where: str,
    folder: Path | None,
) -> None:
    """Refuse columns that are not those of the state and of the journal after it.

    Raises:
        CheckpointError: The configuration asks for others, or the journal has others since.
    """
    state = positions.schema or host.schema
    since = [record for _, record in records if record.seq > positions.seq and record.schema]
    other = next((record for record in since if state and record.schema != state), None)
    if state and other:
        raise CheckpointError(
            f"{where} has the channels {', '.join(state.fields)}, but journal record {other.seq} "
            f"has {', '.join(other.fields or ())} since: it is a state of before a `streamssl "
            "checkpoint migrate`; bring back the state that was migrated, or migrate this one again"
        )
    learnt = state or (since[-1].schema if since else None)
    problem = learnt and disagreement(
        config, learnt, where if state else "the journal", folder if state else None
    )
    if problem:
        first = "" if state else "; without a state, start once with the channels of before"
        raise CheckpointError(f"{problem}{first}")
