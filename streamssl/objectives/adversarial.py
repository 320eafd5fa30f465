"""A discriminator against a decoder (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661).

The encoder is on the discriminator's side, as in Clark et al. 2020 (ELECTRA,
https://arxiv.org/abs/2003.10555): what tells real from false must be in the embedding.
"""

from __future__ import annotations

import torch

from streamssl.objectives.base import Headed, HeadSizes, Sample, Term
from streamssl.objectives.heads import logistic, mlp, reversed_gradient
from streamssl.objectives.network import Network


class Adversarial(Headed):
    """Real inputs are told from corrupted ones, and from those that the decoder repaired.

    The decoder is the adversary: by the reversed gradient it learns to repair so that it
    deceives. It gets the embedding without gradient, so that the encoder has one side only.

    Args:
        weight: Factor of this term in the sum.
        every: Steps from one turn to the next.
        noise: Standard deviation of the added noise.
        mask: Share of the parts hidden.
        hidden: Width of the discriminator's hidden layer.
        deceit: Strength of the reversed gradient.
        sizes: Of what the network gives.
        generator: Draws the discriminator's first weights.
    """

    needs = frozenset({"stem", "corrupt", "embed", "decode"})

    def __init__(
        self,
        *,
        weight: float,
        every: int,
        noise: float,
        mask: float,
        hidden: int,
        deceit: float,
        sizes: HeadSizes,
        generator: torch.Generator,
    ) -> None:
        super().__init__(weight=weight, every=every)
        self.noise, self.mask, self.deceit = noise, mask, deceit
        self.discriminator = mlp((sizes.embedding, hidden, 1), generator)

    def loss(
        self, student: Network, teacher: Network, sample: Sample, generator: torch.Generator
    ) -> Term:
        """½ l(D(f(s)), true) + ¼ l(D(f(s̃)), false) + ¼ l(D(f(g(f(s̃)))), false).

        s the stem, s̃ its corruption, f the encoder, g the decoder, D the discriminator, l the
        logistic loss.
        """
        del teacher
        real = student.stem(sample.inputs)
        corrupted = student.corrupt(real, generator, noise=self.noise, mask=self.mask)
        corrupted_BD = student.embed(corrupted)
        repaired = reversed_gradient(student.decode(corrupted_BD.detach()), self.deceit)
        is_true = logistic(self.discriminator(student.embed(real)), truth=True)
        is_false = [
            logistic(self.discriminator(h_BD), truth=False)
            for h_BD in (corrupted_BD, student.embed(repaired))
        ]
        return Term(0.5 * is_true + 0.5 * torch.stack(is_false).mean())
