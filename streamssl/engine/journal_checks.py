"""What the records of a journal say of the state that they are to be applied to."""

from __future__ import annotations

from streamssl.engine.positions import Positions
from streamssl.transport.journal import JournalRecord

Records = list[tuple[int, JournalRecord]]


def broken_journal(positions: Positions, records: Records, oldest: int) -> tuple[str, str] | None:
    """Cause and words why the journal is not the one that the state comes from, or None."""
    if not records and oldest > positions.journal:
        return "state_old", (
            f"the state ends at journal record {positions.seq}, and what the journal had after it "
            "has expired: is the state folder an old copy, or was the instance away for long?"
        )
    schemas = {record.schema for _, record in records if record.schema}
    if positions.schema is None and len(schemas) > 1:
        return "state_old", (
            "the channels were changed since, and the state that was migrated is not here"
        )
    known = any(record.seq == positions.seq for _, record in records)
    if oldest < positions.journal and not known:
        return "state_ahead", (
            f"the state folder is ahead of the journal, which does not hold record "
            f"{positions.seq}: is it another instance's folder, or was the journal's topic made "
            "anew or truncated?"
        )
    return None


def replaced_state(positions: Positions, records: Records) -> tuple[str, str] | None:
    """Cause and words where the instance went on from another state since this one was saved."""
    for _, record in records:
        gaps = {change for change in record.changes if change.startswith("gap")}
        if record.seq > positions.seq and gaps - set(positions.changes):
            return "state_other", (
                "since the state folder was saved the instance went on from another one (journal "
                f"record {record.seq}, {min(gaps)}): it was lost or exchanged meanwhile"
            )
    return None
