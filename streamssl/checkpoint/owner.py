"""Whose state a folder holds: one instance's of one application, noted in the folder itself."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from streamssl.checkpoint.errors import WrongStateError
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)

OWNER_FILE = "owner.json"


class Owner(msgspec.Struct, frozen=True):
    """The instance that a state folder belongs to.

    Attributes:
        app: Name of the application.
        instance: Its ordinal.
    """

    app: str
    instance: int

    def __str__(self) -> str:
        """In words."""
        return f"instance {self.instance} of {self.app}"


def check_owner(state_dir: Path, owner: Owner) -> bool:
    """Whether the folder is noted as the owner's; False where it says nothing.

    Raises:
        WrongStateError: It is another instance's.
    """
    try:
        found = msgspec.json.decode((state_dir / OWNER_FILE).read_bytes(), type=Owner)
    except (OSError, msgspec.MsgspecError):
        return False
    if found != owner:
        raise WrongStateError(
            f"the state folder {state_dir} is that of {found}, and this is {owner}: mount the "
            "folder that it ran on before, or set app.state_dir to one of its own (to begin from "
            f"what the other one learnt: --init-from {state_dir / 'checkpoints'})"
        )
    return True


def note_owner(state_dir: Path, owner: Owner) -> None:
    """Note that the folder is the owner's from now on; a full disk does not stop a start."""
    path = state_dir / OWNER_FILE
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(msgspec.json.encode(owner))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        tell(log, "state_owner_unwritable", path=path, error=error.strerror)
