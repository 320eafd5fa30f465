"""What this process computes with."""

from __future__ import annotations

import os
import platform

import numpy as np
import river
import torch

from streamssl.arithmetic.threads import THREAD_VARIABLES
from streamssl.version import __version__


def build() -> dict[str, str | None]:
    """The versions, the machine's properties and the threads that a score depends on."""
    return {
        "streamssl": __version__,
        "numpy": np.__version__,
        "river": river.__version__,
        "torch": str(torch.__version__),  # With the local part (+cpu, +cu130), a build of its own.
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        **{name: os.environ.get(name) for name in THREAD_VARIABLES},
    }
