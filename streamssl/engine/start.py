"""How an instance finds its state: newest checkpoint, own journal, and the input read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamssl.checkpoint import CheckpointError
from streamssl.config.root import Config
from streamssl.engine.ports import Codec
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import JournalReplay, recover
from streamssl.host import Host, Learner
from streamssl.transport.base import Transport

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Start:
    """Where an instance goes on from.

    Attributes:
        positions: Where the journal ends.
        state_crc32c: CRC of the state that scores the open epoch.
        source: What the state began from: `checkpoint`, `initial` (`--init-from`) or `fresh`.
        num_events: Events replayed since.
        gap: Whether epochs could not be recovered.
    """

    positions: Positions
    state_crc32c: int
    source: str
    num_events: int
    gap: bool


def start(
    *,
    config: Config,
    transport: Transport,
    host: Host,
    codec: Codec,
    state_dir: Path | None,
    init_from: Path | None,
    environment: str,
    stopping: Callable[[int], bool],
) -> Start:
    """Bring a fresh learner to where this instance's journal ends.

    Args:
        config: The configuration.
        transport: Open, not yet in the group.
        host: Of a fresh learner.
        codec: Reads the input again.
        state_dir: Where checkpoints are.
        init_from: Where to begin if `state_dir` holds none.
        environment: Hash of configuration, build and thread count.
        stopping: Asked before each journal record, with the events replayed so far, whether to
            stop half-way.

    Raises:
        CheckpointError: No checkpoint is usable though there are some, `init_from` has none, or
            the state is of networks of another size.
    """
    positions, source = Positions(), "fresh"
    found = state_dir and host.restore(state_dir / CHECKPOINTS, config.checkpoint.on_corruption)
    if found:
        if found.engine is None:
            raise CheckpointError(f"{found.path} is of a learner alone; begin with --init-from")
        positions, source = Positions.from_state_dict(found.engine), "checkpoint"
    elif init_from:
        _pretrained(host, init_from)
        _check_columns(config, host, init_from)
        source = "initial"
    replay = JournalReplay(
        learner=host,
        codec=codec,
        source=transport,
        positions=positions,
        environment=environment,
    )
    # With the record before: if it is not there, this is another journal, or a shorter one.
    records, oldest = transport.journal(max(0, positions.journal - 1))
    gap = recover(replay, records, oldest, stopping=stopping)
    return Start(positions, replay.state_crc32c, source, replay.num_events, gap)


def _pretrained(host: Host, directory: Path) -> None:
    if host.restore(directory, "previous") is None:
        raise CheckpointError(f"{directory} holds no checkpoint to begin from; see replay --save")


def _check_columns(config: Config, learner: Learner, init_from: Path) -> None:
    learnt = learner.schema
    if learnt is None:
        return
    wanted = config.modality.columns().schema(learnt.fields)
    if wanted != learnt:
        raise CheckpointError(
            f"{init_from} was learnt from the columns {', '.join(learnt.fields + learnt.texts)}, "
            f"but the section modality names {', '.join(wanted.fields + wanted.texts)}; name the "
            "same columns in the same order"
        )
