"""How an instance finds its state: newest checkpoint, own journal, and the input read again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from streamssl.checkpoint import CheckpointError
from streamssl.config.agreement import disagreement
from streamssl.config.environment import environment_hash
from streamssl.config.root import Config
from streamssl.engine.ports import Ports
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import Reproduction, recover
from streamssl.host import Host
from streamssl.transport.journal import JournalRecord

log = logging.getLogger(__name__)

CHECKPOINTS = "checkpoints"
Journal = list[tuple[int, JournalRecord]]


@dataclass(frozen=True)
class Start:
    """Where an instance goes on from.

    Attributes:
        positions: Where the journal ends.
        state_crc32c: CRC of the state that scores the open epoch.
        source: What the state began from: `checkpoint`, `initial` (`--init-from`) or `fresh`.
        num_events: Events reproduced since.
        gap: Whether epochs could not be recovered.
        environment: Hash of configuration, build and thread count.
    """

    positions: Positions
    state_crc32c: int
    source: str
    num_events: int
    gap: bool
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
    """
    host, positions, source = ports.host, Positions(), "fresh"
    environment = environment_hash(config, host.build())
    found = state_dir and host.restore(state_dir / CHECKPOINTS, config.checkpoint.on_corruption)
    if found:
        if found.engine is None:
            raise CheckpointError(f"{found.path} is of a learner alone; begin with --init-from")
        positions, source = Positions.from_state_dict(found.engine), "checkpoint"
    elif init_from:
        _pretrained(host, init_from)
        _carry_keys(host, init_from)
        source = "initial"
    reproduction = Reproduction(
        host=host,
        codec=ports.codec,
        source=ports.transport,
        positions=positions,
        environment=environment,
    )
    # With the record before: if it is not there, this is another journal, or a shorter one.
    records, oldest = ports.transport.journal(max(0, positions.journal - 1))
    where = str(found.path if found else init_from or "the state")
    _check_columns(config, positions, host, records, where)
    gap = recover(reproduction, records, oldest, stopping=partial(_is_stopping, ports))
    return Start(
        positions, reproduction.state_crc32c, source, reproduction.num_events, gap, environment
    )


def _is_stopping(ports: Ports, num_recovered: int) -> bool:
    ports.reporter.recovering(num_recovered)
    return ports.stopping.is_set()


def _pretrained(host: Host, directory: Path) -> None:
    if host.restore(directory, "previous") is None:
        raise CheckpointError(f"{directory} holds no checkpoint to begin from; see replay --save")


def _carry_keys(host: Host, init_from: Path) -> None:
    num_keys = host.carry_keys()
    log.info(
        "begun from %s: networks, statistics and calibration are carried over, and of %d keys by "
        "name what was learnt of each; such a key is warming for its first window of events only, "
        "any other key as in a fresh state",
        init_from,
        num_keys,
        extra={"checkpoint": str(init_from), "keys": num_keys},
    )


def _check_columns(
    config: Config, positions: Positions, host: Host, records: Journal, where: str
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
    problem = learnt and disagreement(config, learnt, where if state else "the journal")
    if problem:
        first = "" if state else "; without a state, start once with the channels of before"
        raise CheckpointError(f"{problem}{first}")
