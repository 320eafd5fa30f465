"""One process per state directory."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from streamssl.data.events import StreamsslError
from streamssl.telemetry.log_events import tell

log = logging.getLogger(__name__)


class StateLockedError(StreamsslError):
    """Another process uses the state directory, or it cannot be used at all."""


@contextlib.contextmanager
def lock(state_dir: Path) -> Iterator[None]:
    """Hold the state directory for this process; made if absent.

    The kernel frees the lock when the process ends, however it ends. A full disk does not stop a
    start: the lock needs no room, only the holder's number does.

    Raises:
        StateLockedError: Another process holds it, and the error names that process; or the
            folder cannot be used.
    """
    path = state_dir / "lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise _unusable(state_dir, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(32).decode("ascii", "replace").strip() or "unknown"
            raise StateLockedError(
                f"the state directory {state_dir} is in use by process {holder}; stop it, or give "
                "each instance its own app.state_dir"
            ) from None
        except OSError as error:
            raise _unusable(state_dir, error) from error
        try:
            file.truncate(0)
            file.write(b"%d\n" % os.getpid())
        except OSError as error:
            tell(log, "lock_unwritable", path=path, error=error.strerror)
        yield


def _unusable(state_dir: Path, error: OSError) -> StateLockedError:
    return StateLockedError(
        f"cannot use the state directory {state_dir}: {error.strerror}; set app.state_dir to a "
        "folder with room that this user may write and lock"
    )
