"""Configurations that scenarios share."""

from __future__ import annotations

from typing import Any

# Networks and epochs so small that a process has learnt, saved and announced within seconds;
# transactions so small that an epoch has several; every checkpoint and journal record is kept.
MAX_EVENTS = 11
SMALL: dict[str, Any] = {
    "learn": {
        "every": 64,
        "max_wait_s": 0.5,
        "burst_after": 100,
        "burst_steps": 6,
        "burst_slice": 2,
        "batch": 16,
    },
    "learner": {"embedding": 8, "hidden": 16, "projection": 8},
    "modality": {"window": 8, "tail_events": 60},
    "objectives": {"moco": {"queue": 32}},
    "delivery": {"max_events": MAX_EVENTS},
    "checkpoint": {"every_events": 150, "every_s": 1e9, "keep": 10_000},
}
# The same with transactions as they are by default, where the point is to keep up.
STEADY: dict[str, Any] = {**SMALL, "delivery": {}}
# Saving every epoch's end shows in the state directory how far a process had come.
SAVE_OFTEN = "checkpoint.every_events=1"
SAVE_NEVER = "checkpoint.every_events=1000000000"
# Of a reading where the default configuration is measured.
NUM_CHANNELS = 8
