"""Builds the parts of a stream's model from its configuration."""

from __future__ import annotations

from typing import Any

from streamssl.config.root import Config
from streamssl.data.inputs import InputSpec
from streamssl.data.spaces import VectorSlice
from streamssl.learner import AbsentLearner, Learner
from streamssl.modalities import Modality
from streamssl.scorers import ScorerSizes
from streamssl.scorers.ensemble import Ensemble
from streamssl.stream.space import EmbeddingSpace


def new_learner(
    config: Config, modality: Modality[Any], spec: InputSpec
) -> Learner | AbsentLearner:
    """Networks of inputs of a spec, untrained; none where they are switched off."""
    if not config.learner.enabled:
        return AbsentLearner()
    return Learner(
        network=modality.network,
        spec=spec,
        learner=config.learner,
        learn=config.learn,
        objectives=config.objectives,
        replay=config.replay,
        seed=config.app.seed,
    )


def new_space(config: Config, modality: Modality[Any]) -> EmbeddingSpace:
    """The slices of vectors; none without networks."""
    learner = config.learner
    return EmbeddingSpace(
        instance=config.app.instance,
        stem=modality.stem if learner.enabled else None,
        network_size=learner.embedding if learner.enabled else 0,
    )


def new_ensemble(
    config: Config, modality: Modality[Any], slices: tuple[VectorSlice, ...]
) -> Ensemble:
    """Scorers and alert layer, which have seen nothing."""
    return Ensemble(
        core=modality.core,
        core_name=config.modality.core_name,
        sizes=ScorerSizes(
            num_parts=len(modality.parts),
            num_residuals=modality.num_residuals,
            slices=slices,
            seed=config.app.seed,
            block_sizes=modality.block_sizes,
        ),
        scorers=config.scorers,
        alerts=config.alerts,
    )
