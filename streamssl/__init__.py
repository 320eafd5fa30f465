"""Online, continual, self-supervised learning on streams.

Importing this package pins the number of BLAS and OpenMP threads (unless the environment
already does), because results are bit-equal only for one thread count.
"""

import os as _os
from typing import TYPE_CHECKING, Any

from streamssl.threads import THREAD_VARIABLES as _THREAD_VARIABLES
from streamssl.version import __version__

for _name in _THREAD_VARIABLES:
    _os.environ.setdefault(_name, "1")

__all__ = ["EventBatch", "Results", "StreamLearner", "__version__"]

if TYPE_CHECKING:
    from streamssl.events import EventBatch
    from streamssl.results import Results
    from streamssl.stream_learner import StreamLearner


def __getattr__(name: str) -> Any:
    """Load the public names when they are asked for: `--help` needs no torch."""
    if name == "StreamLearner":
        from streamssl.stream_learner import StreamLearner

        return StreamLearner
    if name in ("EventBatch", "Results"):
        from streamssl import events

        return getattr(events, name)
    raise AttributeError(f"module 'streamssl' has no attribute {name!r}")
