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


class OptionalConfig(ObjectiveConfig):
    """Weight and turn of an objective that is off unless it is asked for."""

    weight: Weight = Field(0.0, description="Weight in the summed loss; 0 switches it off.")
    every: Count = Field(1, description="It takes its turn in every n-th step.")


class ViewsConfig(OptionalConfig):
    """Objectives that compare views: views take most of their time."""

    every: Count = Field(8, description="It takes its turn in every n-th step: views are costly.")
    samples: Count = Field(64, description="Most samples of a batch that are compared.")


class SimclrConfig(ViewsConfig):
    """Contrast within a batch (Chen et al. 2020)."""

    temperature: float = Field(0.2, gt=0.0, description="Of the softmax over negatives.")


class ByolConfig(ViewsConfig):
    """The teacher's view predicted from the student's, no negatives (Grill et al. 2020)."""

    hidden: Count = Field(128, description="Width of the predictor's hidden layer.")


class VicregConfig(ViewsConfig):
    """Invariance, variance and covariance of two views (Bardes et al. 2022)."""

    expander: Count = Field(128, description="Width of the expander that views are compared in.")
    invariance: Weight = Field(1.0, description="Factor of the distance of two views.")
    variance: Weight = Field(1.0, description="Factor of what is missing to a deviation of 1.")
    covariance: Weight = Field(0.04, description="Factor of what dimensions have in common.")


class BarlowTwinsConfig(ViewsConfig):
    """Cross-correlation of two views (Zbontar et al. 2021)."""

    expander: Count = Field(128, description="Width of the expander that views are compared in.")
    redundancy: Weight = Field(5e-3, description="Factor of the elements off the diagonal.")


class MaskedConfig(OptionalConfig):
    """Hidden spans of time and channels, filled in (Devlin et al. 2019)."""

    time: Ratio = Field(0.25, description="Share of the steps hidden, in one span.")
    channels: Ratio = Field(0.15, description="Share of the channels hidden.")


class AdversarialConfig(OptionalConfig):
    """Real inputs told from corrupted and repaired ones (Goodfellow et al. 2014)."""

    every: Count = Field(8, description="It takes its turn in every n-th step: three passes.")
    noise: Weight = Field(0.2, description="Standard deviation of the added noise.")
    mask: Ratio = Field(0.25, description="Share of the parts (channels, fields) hidden.")
    hidden: Count = Field(64, description="Width of the discriminator's hidden layer.")
    deceit: Weight = Field(
        0.1, description="Pull on the decoder to repair so that it deceives; 0: none."
    )


class MultiInstanceConfig(ViewsConfig):
    """Inputs of one key agree, those of others do not (Azizi et al. 2021)."""

    temperature: float = Field(0.2, gt=0.0, description="Of the softmax over negatives.")


class TemporalOrderConfig(OptionalConfig):
    """Inputs in order told from inputs out of order (Misra et al. 2016)."""

    every: Count = Field(8, description="It takes its turn in every n-th step: two passes.")
    hidden: Count = Field(64, description="Width of the judge's hidden layer.")


class SparseCodeConfig(OptionalConfig):
    """A sparse code of the embedding that rebuilds the input (Olshausen and Field 1996)."""

    atoms: Count = Field(256, description="Entries of the dictionary.")
    sparsity: Weight = Field(0.01, description="Factor of the code's sum.")


class ObjectivesConfig(Section):
    """The pretext tasks, weighted and summed."""

    moco: MocoConfig = MocoConfig()
    next_step: NextStepConfig = NextStepConfig()
    autoencoder: AutoencoderConfig = AutoencoderConfig()
    simclr: SimclrConfig = SimclrConfig()
    byol: ByolConfig = ByolConfig()
    vicreg: VicregConfig = VicregConfig()
    barlow_twins: BarlowTwinsConfig = BarlowTwinsConfig()
    masked: MaskedConfig = MaskedConfig()
    adversarial: AdversarialConfig = AdversarialConfig()
    multi_instance: MultiInstanceConfig = MultiInstanceConfig()
    temporal_order: TemporalOrderConfig = TemporalOrderConfig()
    sparse_code: SparseCodeConfig = SparseCodeConfig()

    def weights(self) -> dict[str, float]:
        """Weight of each objective that is not switched off, by name."""
        return {name: objective.weight for name, objective in self if objective.weight > 0}
