"""Online, continual, self-supervised learning on streams.

Importing this package pins the number of BLAS and OpenMP threads (unless the environment
already does), because results are bit-equal only for one thread count.
"""

import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from streamssl.arithmetic.threads import THREAD_VARIABLES as _THREAD_VARIABLES
from streamssl.version import __version__

for _name in _THREAD_VARIABLES:
    _os.environ.setdefault(_name, "1")

__all__ = ["EventBatch", "Results", "StreamLearner", "__version__"]

if TYPE_CHECKING:
    from streamssl.data.events import EventBatch
    from streamssl.data.results import Results
    from streamssl.stream import StreamLearner

_HOMES = {
    "EventBatch": "streamssl.data.events",
    "Results": "streamssl.data.results",
    "StreamLearner": "streamssl.stream",
}


def __getattr__(name: str) -> Any:
    """Load the public names when they are asked for: `--help` needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'streamssl' has no attribute {name!r}")
    return getattr(_import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names, those included that are not loaded yet."""
    return sorted(__all__)
