"""Settings that have a new place (the old ones are taken for one more version), or are gone."""

from __future__ import annotations

from collections.abc import Mapping

RENAMED: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("scorers", "gaussian", "enabled"): ("scorers", "core", "enabled"),
    ("scorers", "gaussian", "weight"): ("scorers", "core", "weight"),
    ("scorers", "gaussian", "max_features"): ("scorers", "max_features"),
    ("scorers", "gaussian", "own_keys"): ("scorers", "own_keys"),
    ("scorers", "gaussian", "gate"): ("scorers", "gate", "quantile"),
    ("scorers", "gaussian", "quarantine_min"): ("scorers", "gate", "quarantine_min"),
    ("scorers", "gaussian", "quarantine_share"): ("scorers", "gate", "quarantine_share"),
    ("scorers", "gaussian", "quarantine_max"): ("scorers", "gate", "quarantine_max"),
    ("scorers", "residual", "next_step"): ("modality", "next_step_residual"),
}
# Dotted paths, and what to do instead.
REMOVED: Mapping[str, str] = {
    "kafka.client": "is gone, and with it librdkafka: kafka-python is the one client; "
    "remove this setting"
}
# Sections of which nothing but such settings is left, or some are.
OLD_SECTIONS = frozenset(old[:-1] for old in RENAMED)
