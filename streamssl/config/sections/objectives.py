"""The pretext tasks."""

from __future__ import annotations

from pydantic import Field

from streamssl.config.sections.base import Count, Ratio, Section, Weight


class ObjectiveConfig(Section):
    """Weight of one objective; 0 switches it off."""

    weight: Weight = Field(1.0, description="Weight in the summed loss; 0 switches it off.")


class MocoConfig(ObjectiveConfig):
    """Momentum contrast with a queue of negatives (He et al. 2020)."""

    weight: Weight = Field(0.1, description="Weight in the summed loss; 0 switches it off.")
    temperature: float = Field(0.2, gt=0.0, description="Of the softmax over negatives.")
    queue: int = Field(1_024, ge=2, description="Negatives kept.")
    samples: Count = Field(64, description="Most samples of a batch that are contrasted.")
    every: Count = Field(8, description="Contrast in every n-th step: views take most of its time.")


class NextStepConfig(ObjectiveConfig):
    """Prediction of the newest event from the context before it."""

    every: Count = Field(8, description="Predict in every n-th step: it takes a pass of its own.")


class AutoencoderConfig(ObjectiveConfig):
    """Denoising autoencoder (Vincent et al. 2008) that masks whole parts of an event."""

    noise: Weight = Field(0.2, description="Standard deviation of the added noise.")
    mask: Ratio = Field(0.25, description="Share of the parts (channels, fields) hidden.")


class ObjectivesConfig(Section):
    """The pretext tasks, weighted and summed."""

    moco: MocoConfig = MocoConfig()
    next_step: NextStepConfig = NextStepConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig()

    def weights(self) -> dict[str, float]:
        """Weight of each objective that is not switched off, by name."""
        return {name: objective.weight for name, objective in self if objective.weight > 0}
