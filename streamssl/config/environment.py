"""What, besides data and decisions, decides the bits of a score: one short hash of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from streamssl.config.modalities import GROUP
from streamssl.config.plugins import version
from streamssl.config.root import Config

# How results are carried, saved and watched; none of it touches a score.
_IRRELEVANT_SECTIONS = {"kafka", "delivery", "outputs", "checkpoint", "telemetry"}
# Without effect, or it is in the journal: who took which range, when and how epochs closed.
_WITHOUT_EFFECT = {
    "learner": {"own_process"},
    "app": {"name", "instance", "state_dir", "on_missing_state"},
    "input": {"start", "max_poll_messages"},
    "learn": {"max_wait_s", "thin_above_lag"},
}


def environment_hash(config: Config, build: Mapping[str, str | None]) -> str:
    """Eight hex digits that change whenever the same input could give other scores.

    They cover the settings that scoring and learning read, the build, and the version of
    the package that an added modality comes from.

    Args:
        config: The configuration.
        build: Of the process that the learner runs in (`learner/build.py`).
    """
    parts: dict[str, Any] = {"config": scoring_settings(config), "build": dict(build)}
    if (plugin := version(GROUP, config.modality.kind)) is not None:
        parts["plugin"] = plugin
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def config_hash(config: Config) -> str:
    """Eight hex digits that change with any setting; secrets have no part in it."""
    text = json.dumps(config.model_dump(mode="json"), sort_keys=True)
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
