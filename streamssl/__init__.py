"""Online, continual, self-supervised learning on streams.

Importing this package pins the number of BLAS and OpenMP threads (unless the environment
already does), because results are bit-equal only for one thread count.
"""

import os as _os
from typing import TYPE_CHECKING, Any

for _name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    _os.environ.setdefault(_name, "1")

from streamssl.version import __version__  # noqa: E402 - after the pins

__all__ = ["EventBatch", "Results", "StreamLearner", "__version__"]

if TYPE_CHECKING:
    from streamssl.events import EventBatch, Results
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
