"""Where an instance stands: in its journal, in every partition, and what it has yet to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamssl.data.events import Schema
from streamssl.data.results import Decisions
from streamssl.transport.journal import MIGRATED, JournalRecord, missed_change


@dataclass
class Positions:
    """What the journal says so far, and what its next record has to say.

    Attributes:
        journal: Position after the last record that is part of the state.
        seq: Number of that record.
        stops: Last journalled stop of the partitions whose per-key state is held.
        schema: The stream's columns, None until they are decided.
        schema_is_journalled: Whether a record says them; the next one does where not.
        migrated_from: Columns of before a migration of which no record tells yet.
        topic: Input topic that all of it is of, None where that was not noted.
        space: Embedding space announced last, None before the first.
        drifted: Epoch of the drift announced last, 0 before the first.
        closed: Decisions of epochs that closed since that record.
        dropped: (epoch, partition) of per-key state given up since that record.
        changes: What else changed since that record.
    """

    journal: int = 0
    seq: int = 0
    stops: dict[int, int] = field(default_factory=dict)
    schema: Schema | None = None
    schema_is_journalled: bool = False
    migrated_from: Schema | None = None
    topic: str | None = None
    space: str | None = None
    drifted: int = 0
    closed: dict[int, Decisions] = field(default_factory=dict)
    dropped: list[tuple[int, int]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def landed(self, record: JournalRecord, position: int) -> None:
        """Take over a record that is in the journal, `position` being the one after it."""
        self.journal, self.seq = position, record.seq
        self.stops |= {p: stop for p, (_, stop, _, _) in record.ranges.items()}
        if record.schema is not None:
            self.schema, self.schema_is_journalled = record.schema, True
        if record.space is not None:
            self.space = record.space
        self.drifted = max([self.drifted, *(drift.epoch for drift in record.drifts)])
        self.closed.clear()
        self.dropped.clear()
        # Records of before a migration are repeated by what was migrated: it is still to be said.
        unsaid = [c for c in self.changes if c.startswith(MIGRATED) and c not in record.changes]
        self.changes[:] = unsaid
        self.migrated_from = self.migrated_from if unsaid else None

    def decide(self, schema: Schema | None) -> None:
        """Take over the stream's columns, unless they are decided already."""
        self.schema = self.schema or schema

    def miss(self, partition: int, start: int, stop: int) -> str:
        """Note that input expired before it was read; the words that the journal will have."""
        self.changes.append(f"{missed_change(partition)}[{start}, {stop})")
        return self.changes[-1]

    def drop(self, epoch: int, partition: int) -> None:
        """Note that the per-key state of `partition` was given up while `epoch` was open.

        What had expired of it unread is for the next owner to tell.
        """
        self.stops.pop(partition, None)
        missed = missed_change(partition)
        self.changes = [change for change in self.changes if not change.startswith(missed)]
        self.dropped.append((epoch, partition))

    def state_dict(self) -> dict[str, Any]:
        """All of it, as plain values; columns only where they are journalled."""
        schema = self.schema if self.schema_is_journalled else None
        return {
            "journal": self.journal,
            "seq": self.seq,
            "stops": [[p, stop] for p, stop in sorted(self.stops.items())],
            "schema": _listed(schema),
            "migrated_from": _listed(self.migrated_from),
            "topic": self.topic,
            "space": self.space,
            "drifted": self.drifted,
            "closed": [[e, *decisions] for e, decisions in sorted(self.closed.items())],
            "dropped": [list(entry) for entry in self.dropped],
            "changes": list(self.changes),
        }

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> Positions:
        """The positions that `state_dict` gave."""
        return cls(
            journal=int(state["journal"]),
            seq=int(state["seq"]),
            stops={int(p): int(stop) for p, stop in state["stops"]},
            schema=_schema(state["schema"]),
            migrated_from=_schema(state.get("migrated_from")),
            schema_is_journalled=state["schema"] is not None,
            topic=None if state.get("topic") is None else str(state["topic"]),
            space=None if state["space"] is None else str(state["space"]),
            drifted=int(state.get("drifted", 0)),
            closed={int(e): Decisions(*decisions) for e, *decisions in state["closed"]},
            dropped=[(int(e), int(p)) for e, p in state["dropped"]],
            changes=[str(change) for change in state["changes"]],
        )


def _listed(schema: Schema | None) -> list[list[str]] | None:
    return None if schema is None else [list(names) for names in schema]


def _schema(listed: list[list[str]] | None) -> Schema | None:
    return None if listed is None else Schema(*map(tuple, listed))
