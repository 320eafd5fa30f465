"""How an instance finds its state: newest checkpoint, own journal, and the input read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamssl.checkpoint import CheckpointError, load_newest
from streamssl.config.root import Config
from streamssl.engine.ports import Codec, Learner
from streamssl.engine.positions import Positions
from streamssl.engine.recovery import JournalReplay, recover
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
    learner: Learner,
    codec: Codec,
    state_dir: Path | None,
    init_from: Path | None,
    environment: str,
    stopping: Callable[[], bool],
) -> Start:
    """Bring a fresh learner to where this instance's journal ends.

    Args:
        config: The configuration.
        transport: Open, not yet in the group.
        learner: Fresh.
        codec: Its decoder learns the channels.
        state_dir: Where checkpoints are.
        init_from: Where to begin if `state_dir` holds none.
        environment: Hash of configuration, build and thread count.
        stopping: Asked before each journal record whether to stop half-way.

    Raises:
        CheckpointError: No checkpoint is usable though there are some, `init_from` has none, or
            the state is of networks of another size.
    """
    found = state_dir and load_newest(
        state_dir / CHECKPOINTS, on_corruption=config.checkpoint.on_corruption
    )
    positions, source = Positions(), "fresh"
    if found:
        _take_over(learner, found.state["learner"], found.path)
        positions, source = Positions.from_state_dict(found.state["engine"]), "checkpoint"
    elif init_from:
        _take_over(learner, pretrained(init_from), init_from)
        _check_channels(config, learner, init_from)
        source = "initial"
    replay = JournalReplay(
        learner=learner,
        codec=codec,
        source=transport,
        positions=positions,
        environment=environment,
    )
    # With the record before: if it is not there, this is another journal, or a shorter one.
    records, oldest = transport.journal(max(0, positions.journal - 1))
    gap = recover(replay, records, oldest, stopping=stopping)
    return Start(positions, replay.state_crc32c, source, replay.num_events, gap)


def pretrained(directory: Path) -> dict[str, Any]:
    """The learner's state in a folder that `replay --save` or a daemon wrote.

    Raises:
        CheckpointError: There is none.
    """
    found = load_newest(directory)
    if found is None:
        raise CheckpointError(f"{directory} holds no checkpoint to begin from; see replay --save")
    state: dict[str, Any] = found.state.get("learner", found.state)
    return state


def _take_over(learner: Learner, state: dict[str, Any], path: Path) -> None:
    try:
        learner.load_state_dict(state)
    except (RuntimeError, KeyError, ValueError) as error:
        # PyTorch's text goes on with a line for each weight.
        told = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{path} does not fit this configuration ({told}); go back to the learner, modality "
            "and scorers sections that it was learnt with, or name an empty app.state_dir"
        ) from error


def _check_channels(config: Config, learner: Learner, init_from: Path) -> None:
    wanted = config.modality.fields
    if wanted != "auto" and learner.fields and tuple(wanted) != learner.fields:
        raise CheckpointError(
            f"{init_from} was learnt from the channels {', '.join(learner.fields)}, but "
            f"modality.fields says {', '.join(wanted)}; name the same channels in the same order"
        )
