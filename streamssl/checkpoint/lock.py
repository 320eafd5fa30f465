"""One process per state directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from streamssl.events import StreamsslError


class StateLockedError(StreamsslError):
    """Another process uses the state directory, or it cannot be used at all."""


@contextlib.contextmanager
def lock(state_dir: Path) -> Iterator[None]:
    """Hold the state directory for this process; made if absent.

    The kernel frees the lock when the process ends, however it ends.

    Raises:
        StateLockedError: Another process holds it; the error names that process.
    """
    path = state_dir / "lock"
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="ascii")
    except OSError as error:
        raise StateLockedError(
            f"cannot use the state directory {state_dir}: {error.strerror}; set app.state_dir to a "
            "folder that this user may write"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise StateLockedError(
                f"the state directory {state_dir} is in use by process {holder}; stop it, or give "
                "each instance its own app.state_dir"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
