"""What closing an epoch did, in figures.

B = events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from streamssl.data.events import BoolArray
from streamssl.learner import AbsentLearner, Learner, LearnReport
from streamssl.scorers.ensemble import Ensemble
from streamssl.scorers.scored import Scored
from streamssl.stream.key_table import KeyTable


def num_keys(keys: KeyTable, ensemble: Ensemble) -> dict[str, Any]:
    """How many keys have state, and how many of them cannot alert, by reason."""
    slots = keys.slots()
    return {
        "keys_active": len(slots),
        "keys_warming": ensemble.num_warming(slots),
        "keys_muted": ensemble.num_muted(slots),
    }


def of_statistics(
    scored: Scored, learn_B: BoolArray, ensemble: Ensemble, num_rebased: int
) -> dict[str, Any]:
    """Rows, warm-up and alerts of an epoch.

    Args:
        scored: The epoch's rows.
        learn_B: Which of them the statistics learned.
        ensemble: Judged them.
        num_rebased: Shifts that were accepted.
    """
    seen, warmup = ensemble.calibration.seen(scored.slots), ensemble.calibration.warmup
    return {
        "num_events": len(learn_B),
        "num_learnt": int(learn_B.sum()),
        "num_gated": int((~learn_B).sum()),
        "warmup_progress": float(np.minimum(seen / warmup, 1.0).mean()),
        "alert_rate": ensemble.budget.rate(),
        "num_rebased": num_rebased,
        "is_timeless": ensemble.budget.is_timeless,
    }


def upkeep_losses(learned: LearnReport, learner: Learner | AbsentLearner) -> Mapping[str, float]:
    """Loss of each objective whose turn it was; none before the first burst is over."""
    return learned.losses if learner.burst_step >= learner.burst_steps else {}


def of_learning(learned: LearnReport, learner: Learner | AbsentLearner) -> dict[str, Any]:
    """What the networks learned."""
    return {
        "num_trained": learned.num_trained,
        "num_steps": learned.num_steps,
        "num_steps_nonfinite": learned.num_steps_nonfinite,
        "replay_records": learner.replay_records,
        "replay_bytes": learner.replay_bytes,
        "gradient_norm": learned.gradient_norm,
        "losses": dict(learned.losses),
        "burst_step": learner.burst_step,
        "burst_steps": learner.burst_steps,
    }
