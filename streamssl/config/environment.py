"""What, besides data and decisions, decides the bits of a score: one short hash of it."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from typing import Any

import numpy as np

from streamssl.config.root import Config
from streamssl.threads import THREAD_VARIABLES
from streamssl.version import __version__

# How results are carried, saved and watched; none of it touches a score.
_IRRELEVANT_SECTIONS = {"kafka", "delivery", "outputs", "checkpoint", "telemetry"}
# Without effect, or it is in the journal: who took which range, when and how epochs closed.
_WITHOUT_EFFECT = {
    "learner": {"own_process"},
    "app": {"name", "instance", "state_dir"},
    "input": {"start", "max_poll_messages"},
    "learn": {"max_wait_s", "thin_above_lag"},
}


def environment_hash(config: Config) -> str:
    """Eight hex digits that change whenever the same input could give other scores.

    They cover the settings that scoring and learning read, the versions of this package, NumPy
    and torch, the CPU's capability and the number of threads.
    """
    parts = {"config": scoring_settings(config), "build": build()}
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def scoring_settings(config: Config) -> dict[str, Any]:
    """The settings that a score depends on."""
    sections = config.model_dump(mode="json", exclude=_IRRELEVANT_SECTIONS)
    return {
        name: {
            key: value for key, value in section.items() if key not in _WITHOUT_EFFECT.get(name, ())
        }
        for name, section in sections.items()
    }


def build() -> dict[str, str | None]:
    """The versions, the machine's properties and the threads that a score depends on."""
    import torch  # Here, so that commands which only read settings start without it.

    return {
        "streamssl": __version__,
        "numpy": np.__version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        **{name: os.environ.get(name) for name in THREAD_VARIABLES},
    }
